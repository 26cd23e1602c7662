"""A context whose expressions are the real ones."""

from runner.expressions import Context, EmptyWorld, render_value
from runner.testing import FakeRunContext


def expressions(template, variables, typed):
    return render_value(template, Context(variables, EmptyWorld()), typed=typed)


def a_context(folder, **more):
    return FakeRunContext(folder, renderer=expressions, **more)
