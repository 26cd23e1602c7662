"""Control flow: one small pure class a kind, found by the task's type."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runner.engine.flowables.base import Flowable
from runner.engine.flowables.batches import Batches
from runner.engine.flowables.branch import If, Switch
from runner.engine.flowables.dag import Dag
from runner.engine.flowables.foreach import EachParallel, EachSequential, ForEach
from runner.engine.flowables.loop import LoopUntil
from runner.engine.flowables.parallel import Parallel
from runner.engine.flowables.waiting import Pause, Sleep, Subflow
from runner.model.states import State

_PREFIX = "io.kestra.plugin.core.flow."


class AllowFailure(Flowable):
    """Sequential; its failure is a warning."""

    def outcome(self, task: object, run: object, state: State) -> State:
        return State.WARNING if state is State.FAILED else state


ROOT = Flowable()
"""The flow itself: its tasks one after another."""

_KNOWN = {
    _PREFIX + name: flowable
    for name, flowable in {
        "Sequential": Flowable(),
        "Parallel": Parallel(),
        "ForEach": ForEach(),
        "EachSequential": EachSequential(),
        "EachParallel": EachParallel(),
        "LoopUntil": LoopUntil(),
        "If": If(),
        "Switch": Switch(),
        "Dag": Dag(),
        "AllowFailure": AllowFailure(),
        "Pause": Pause(),
        "Sleep": Sleep(),
        "Subflow": Subflow(),
        "ForEachItem": Flowable(),
        "ForEachItem$ForEachItemExecutable": Batches(),
    }.items()
}

FLOWABLES: Mapping[str, Flowable] = MappingProxyType(_KNOWN)


def register(type_name: str, flowable: Flowable) -> None:
    """Let the engine decide about a type of a third party, when its module is loaded."""
    _KNOWN.setdefault(type_name, flowable)
