"""Whether the conditions of a trigger hold (core-plugins §12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from runner.expressions import Context, render, render_value
from runner.model.facts import Facts
from runner.plugin import Condition
from runner.runtime import Runtime

NO_FACTS = Facts()


def hold(
    runtime: Runtime,
    conditions: Sequence[Mapping[str, Any]],
    context: Context,
    facts: Facts = NO_FACTS,
) -> bool:
    """Say whether all of them hold.

    Raises:
        ExpressionError, TaskError: one cannot be rendered or does not fit. ValueError: it cannot be
        judged.
    """
    if not conditions:
        return True

    def rendered(value: Any, typed: bool) -> Any:
        return render_value(value, context, typed=typed)

    facts = replace(facts, render=lambda text: str(render(text, context)))
    return all(_holds(runtime.registry.build_plugin(raw, rendered), facts) for raw in conditions)


def _holds(condition: object, facts: Facts) -> bool:
    if not isinstance(condition, Condition):
        raise ValueError(f"{type(condition).__name__} is no condition")
    return condition.holds(facts)
