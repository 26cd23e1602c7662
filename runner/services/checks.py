"""Checks: conditions on the inputs, before an execution is made (flow-language §14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.errors import ArgumentInvalid, HeadraceError
from runner.expressions import Context, render
from runner.model.flow import Check, Flow
from runner.runtime import Runtime
from runner.runtime.world import FlowWorld

_STRICTEST = ("BLOCK_EXECUTION", "FAIL_EXECUTION", "CREATE_EXECUTION")


class Blocked(ArgumentInvalid):
    """A check does not let the flow run."""

    code = "check_failed"


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check that does not hold: what it says, how it is shown, what follows."""

    message: str
    style: str
    behavior: str


def failed_checks(runtime: Runtime, flow: Flow, inputs: Mapping[str, Any]) -> Sequence[FailedCheck]:
    """Return the checks of a flow that do not hold for resolved inputs."""
    if not flow.checks:
        return ()
    variables = {
        **runtime.shared_variables,
        "flow": {"id": flow.id, "namespace": flow.namespace, "revision": flow.revision},
        "inputs": runtime.opened(inputs),
        "vars": flow.variables,
    }
    context = Context(variables, FlowWorld(runtime, flow.namespace))
    found = (_failed(check, context) for check in flow.checks)
    return [failed for failed in found if failed is not None]


def strictest(failed: Sequence[FailedCheck]) -> str | None:
    """Return what is to happen; None: nothing stands against the execution."""
    behaviors = {each.behavior for each in failed}
    return next((behavior for behavior in _STRICTEST if behavior in behaviors), None)


def refuse_blocked(failed: Sequence[FailedCheck]) -> None:
    """Raise Blocked if a check says so."""
    if strictest(failed) == "BLOCK_EXECUTION":
        messages = ", ".join(each.message for each in failed)
        raise Blocked(
            "Flow execution blocked: one or more condition checks evaluated to false.\n"
            f"Failed checks: {messages}"
        )


def _failed(check: Check, context: Context) -> FailedCheck | None:
    try:
        holds = render(check.condition, context, typed=True) is True
    except HeadraceError as exc:
        message = f"Failed to evaluate check condition. Cause: {exc.message}"
        return FailedCheck(message, "ERROR", "BLOCK_EXECUTION")
    return None if holds else FailedCheck(check.message, check.style, check.behavior)
