"""Plays a flow to its end in this process; time jumps to the next timer."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from runner import jobs
from runner.attempt import AttemptControl, run_attempt
from runner.clock import SystemClock
from runner.executor import Driven, WorkerIdentity
from runner.model.evolve import replace
from runner.model.execution import Execution, TaskRun
from runner.model.wake import Wake
from runner.queue import NoQueue
from runner.scheduler.timers import fire_due
from runner.services import announcements
from runner.services.executions import Executions, Order
from runner.services.flows import Flows
from runner.services.inputs import Inputs, Upload
from runner.services.principal import LOCAL
from runner.settings import Settings
from runner.store.base import LogQuery, WorkerRow
from runner.wiring import make_runtime

WORKER = "scenario"
IDENTITY = WorkerIdentity(WORKER)
_MOST_TURNS = 20_000


class JumpingClock:
    """The system's time, ahead by what was not waited for."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self._system = SystemClock()

    def now(self) -> datetime:
        return self._system.now() + self.ahead


class WaitingQueue(NoQueue):
    """Keeps wake-ups in the order in which they were sent."""

    def __init__(self) -> None:
        self.waiting: deque[Wake] = deque()

    def send(self, wakes: Sequence[Wake]) -> None:
        self.waiting.extend(wakes)


@dataclass
class Played:
    """What has become of an execution, and of those that it started, the oldest first."""

    execution: Execution
    runs: Sequence[TaskRun]
    lines: Sequence[str]
    told: Sequence[str] = ()  # the lines with their levels
    log_files: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of each task's attempts
    children: list[Played] = field(default_factory=list)


class Player:
    """Loads flows, starts them, and works until nothing is left to do."""

    def __init__(self, home: Path) -> None:
        self.queue, clock = WaitingQueue(), JumpingClock()
        settings = Settings(home=home, task_runner={"default": "process"})
        made = make_runtime(settings, queue=self.queue, environment={}, migrated=True)
        self.runtime = replace(made, clock=clock)
        self.clock = clock
        self.executions = Executions(self.runtime, Inputs(self.runtime))
        with self.runtime.store.begin() as tx:
            now = tx.now()
            row = WorkerRow(WORKER, "here", 1, ("default",), 1, now, now)
            tx.workers.register(row, lease_seconds=86_400)

    def load(self, *sources: str) -> tuple[str, str]:
        """Store flows; returns the place of the first."""
        rows = [Flows(self.runtime).create(source, by=LOCAL).row for source in sources]
        return rows[0].namespace, rows[0].flow_id

    def start(
        self, place: tuple[str, str], inputs: Mapping[str, Any], breakpoints: Sequence[str] = ()
    ) -> str:
        given = {name: _given(value) for name, value in inputs.items()}
        order = Order(*place, given, breakpoints=breakpoints)
        return self.executions.create(order, by=LOCAL).execution.id

    def work(self, most: int = _MOST_TURNS) -> None:
        """Work until nothing is left to do, which must be after so many turns at most."""
        for _ in range(most):
            if self.queue.waiting:
                self._turn(self.queue.waiting.popleft())
            elif not self._jump():
                return
        raise AssertionError("the scenario does not come to an end")

    def seen(self, execution_id: str) -> Played:
        shown = self.executions.get(execution_id)
        found = self.runtime.store.logs.search(LogQuery(execution_id=execution_id), limit=500).items
        children = self.executions.children(execution_id)
        return Played(
            shown.execution,
            shown.runs,
            [line.message for line in found],
            [f"{line.level} {line.message}" for line in found],
            {run.task_id: self._log_files(run) for run in shown.runs},
            [self.seen(child.id) for child in children],
        )

    def _log_files(self, run: TaskRun) -> list[str]:
        uris = [attempt.log_file for attempt in run.attempts if attempt.log_file]
        return [self._content(uri.removeprefix("kestra://")) for uri in uris]

    def _content(self, path: str) -> str:
        with self.runtime.storage.open(path) as file:
            return file.read().decode()

    def _turn(self, wake: Wake) -> None:
        if wake.kind == "drive":
            driven = jobs.fold(self.runtime, [wake.execution_id], IDENTITY)
            announcements.settle(self.runtime)
            self._go_on(*driven)
            return
        claimed = jobs.claim(self.runtime, wake.task_run_id or "", wake.attempt or 0, WORKER)
        if claimed is not None:
            self._go_on(Driven(wake.execution_id, run_here=claimed))

    def _go_on(self, driven: Driven) -> None:
        """Run what a fold has left here, as the worker does."""
        while driven.run_here is not None:
            claimed = driven.run_here
            ended = run_attempt(self.runtime, claimed, AttemptControl(), driven.known)
            following = jobs.end_and_fold(self.runtime, claimed, ended, IDENTITY, driven.left)
            if following is None:
                wake = jobs.end_attempt(self.runtime, claimed, ended)
                self.queue.send([wake] if wake else [])
                return
            driven = following

    def _jump(self) -> bool:
        """Go to the next timer, if there is one."""
        with self.runtime.store.read() as tx:
            next_at = tx.timers.next_at()
        if next_at is None:
            return False
        self.clock.ahead += max(timedelta(0), next_at - self.clock.now())
        fire_due(self.runtime)
        return True


def _given(value: Any) -> Any:
    if isinstance(value, dict) and "$content" in value:
        from io import BytesIO

        return Upload(value.get("$name", "file.txt"), BytesIO(value["$content"].encode()))
    return value
