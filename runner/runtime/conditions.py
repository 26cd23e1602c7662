"""Whether the conditions of a trigger hold (core-plugins §12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.expressions import Context, render_value
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

    return all(
        not _is_hopeless(runtime, raw, facts)
        and _holds(runtime.registry.build_plugin(raw, rendered), facts)
        for raw in conditions
    )


def _is_hopeless(runtime: Runtime, raw: Mapping[str, Any], facts: Facts) -> bool:
    found = runtime.registry.find(str(raw.get("type")))
    return found is not None and issubclass(found, Condition) and found.is_hopeless(facts)


def _holds(condition: object, facts: Facts) -> bool:
    if not isinstance(condition, Condition):
        raise ValueError(f"{type(condition).__name__} is no condition")
    return condition.holds(facts)
