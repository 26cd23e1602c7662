"""Whether the conditions of a trigger hold (core-plugins §12)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from runner.expressions import Context, render, render_value
from runner.model.facts import Facts
from runner.plugin import Condition, Span
from runner.runtime import Runtime

NO_FACTS = Facts()


class Asked(Protocol):
    """What is asked of a condition: see `runner.plugin.Condition`."""

    def holds(self, facts: Facts) -> bool: ...
    def span(self, facts: Facts) -> Span | None: ...


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
    facts = replace(facts, render=lambda text: str(render(text, context)))
    return all(asked(runtime, raw, context).holds(facts) for raw in conditions)


def asked(runtime: Runtime, raw: Mapping[str, Any], context: Context) -> Asked:
    """Return a condition, rendered. Raises as `hold`.

    Of Not and Or, what is inside is rendered when it is asked: an error behind the answer that
    decides does no harm.
    """
    cls = runtime.registry.find(str(raw.get("type")))
    nested = raw.get("conditions")
    if cls and issubclass(cls, Condition) and cls.is_combined and isinstance(nested, list):
        return _Combined(cls.combine, [partial(asked, runtime, one, context) for one in nested])
    condition = runtime.registry.build_plugin(
        raw, lambda value, typed: render_value(value, context, typed=typed)
    )
    if not isinstance(condition, Condition):
        raise ValueError(f"{type(condition).__name__} is no condition")
    return condition


@dataclass(frozen=True, slots=True)
class _Combined:
    """A condition made of others."""

    combine: Callable[[Iterable[bool]], bool]
    parts: Sequence[Callable[[], Asked]]

    def holds(self, facts: Facts) -> bool:
        return self.combine(part().holds(facts) for part in self.parts)

    def span(self, facts: Facts) -> Span | None:
        """Return when the answers of all of them are the same."""
        spans = [part().span(facts) for part in self.parts]
        known = [span for span in spans if span is not None]
        if len(known) < len(spans):
            return None
        return Span(max(span.start for span in known), min(span.end for span in known))
