"""Plays executions against `advance` alone: a script answers commands, time is a counter."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from runner.engine.advance import advance
from runner.engine.commands import (
    Announce,
    ClearTimer,
    Continue,
    Evaluate,
    KillChild,
    RunTask,
    SetTimer,
    StartChild,
    StartReplay,
    StopTask,
    Tell,
)
from runner.engine.events import (
    ChildEnded,
    ChildStarted,
    Continued,
    Evaluated,
    Event,
    Started,
    TaskFailed,
    TaskKilled,
    TaskSucceeded,
    TimerFired,
)
from runner.engine.step import begin_attempt
from runner.model.execution import Execution, TaskRun
from runner.model.flow import Flow, Task, TaskKind
from runner.model.states import State

START = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
FLOW = "io.kestra.plugin.core.flow."


class Runs:
    """All task runs of a simulated execution."""

    def __init__(self) -> None:
        self.by_id: dict[str, TaskRun] = {}

    def get(self, task_run_id: str) -> TaskRun | None:
        return self.by_id.get(task_run_id)

    def live(self) -> Iterable[TaskRun]:
        return [run for run in self.by_id.values() if not run.state.is_terminal]

    def live_below(self, parent_id: str) -> Iterable[TaskRun]:
        return [run for run in self.live() if run.parent_id == parent_id]

    def of_tasks(self, task_ids: Iterable[str], since: int) -> Iterable[TaskRun]:
        return [r for r in self.by_id.values() if r.task_id in task_ids and r.sequence > since]


@dataclass
class Simulation:
    """One execution. *script* answers the attempts of a task: a state, or a function of (run,
    attempt);
    a task that is not in it succeeds, and a subflow that is not in it stays open. *held* tasks stay
    RUNNING until `release`."""

    flow: Flow
    script: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    now: datetime = START
    pick: Callable[[int], int] = lambda waiting: 0  # which of the waiting commands is next
    again: Callable[[Event], Iterable[Event]] = lambda event: (event,)  # what arrives of an event

    def __post_init__(self) -> None:
        self.runs = Runs()
        self.execution = Execution(
            id="x" * 22,
            namespace=self.flow.namespace,
            flow_id=self.flow.id,
            revision=1,
            state=State.CREATED,
            history=((State.CREATED, self.now),),
        )
        self.commands: deque[Any] = deque()
        self.timers: dict[str, datetime] = {}
        self.waiting: dict[str, RunTask] = {}
        self.told: list[str] = []
        self.announced: list[tuple[str, bool]] = []
        self.replays: list[datetime] = []
        self.stopped: list[str] = []
        self.killed_children: list[str] = []
        self.started_order: list[str] = []
        self.changes = 0
        self.events: list[Event] = []
        self.times: list[datetime] = []

    # ── playing

    def start(self) -> "Simulation":
        return self.feed(Started())

    def feed(self, *events: Event) -> "Simulation":
        for event in events:
            self._advance(event)
            self._drain()
        return self

    def _advance(self, event: Event) -> None:
        for arrived in self.again(event):
            self._advance_once(arrived)

    def _advance_once(self, event: Event) -> None:
        self.events.append(event)
        self.now += timedelta(milliseconds=1)
        self.times.append(self.now)
        decision = advance(self.flow, self.execution, self.runs, event, self.now)
        self.execution = decision.execution
        for run_id in decision.removed:
            del self.runs.by_id[run_id]
        for run in decision.changes:
            if run.id not in self.runs.by_id:
                self.started_order.append(
                    run.task_id if run.value is None else f"{run.task_id}/{run.value}"
                )
            self.runs.by_id[run.id] = run
        self.changes += len(decision.changes)
        self.commands.extend(decision.commands)

    def _drain(self) -> None:
        while self.commands:
            chosen = self.pick(len(self.commands))
            command = self.commands[chosen]
            del self.commands[chosen]
            self._carry_out(command)

    def _carry_out(self, command: Any) -> None:
        match command:
            case Evaluate():
                self._advance(self._evaluated(command))
            case RunTask():
                run = self.runs.by_id.get(command.task_run_id)
                if run is None or run.state.is_terminal:
                    return
                if run.task_id in self.held:
                    self.waiting[run.id] = command
                else:
                    self._advance(self.end_of(run, command.attempt))
            case Continue():
                self._advance(Continued(command.task_run_id))
            case StartChild():
                tried = len(self.runs.by_id[command.task_run_id].attempts)
                child = f"child-of-{command.task_run_id}{f'-{tried}' if tried > 1 else ''}"
                self._advance(ChildStarted(command.task_run_id, child, command.iteration))
                self._end_child(command, child)
            case StopTask():
                self.stopped.append(self.runs.by_id[command.task_run_id].task_id)
            case SetTimer():
                self.timers[command.key] = command.at
            case ClearTimer():
                self.timers.pop(command.key, None)
            case Tell():
                self.told.append(command.message)
            case Announce():
                self.announced.append((str(command.state), command.fully))
            case StartReplay():
                self.replays.append(command.at)
            case KillChild():
                self.killed_children.append(command.execution_id)

    def _end_child(self, command: StartChild, child: str) -> None:
        run = self.runs.by_id.get(command.task_run_id)
        if run is not None and run.task_id in self.script:
            state = self._answer(run, len(run.attempts) - 1)
            self._advance(ChildEnded(run.id, child, state, {}, command.iteration))

    def _evaluated(self, command: Evaluate) -> Evaluated:
        if command.task_run_id is None:
            given = self.values.get(command.purpose, {})
            given = given(self) if callable(given) else given
        else:
            task_id = self.runs.by_id[command.task_run_id or ""].task_id
            given = self.values.get(task_id, dict(command.fields))
        if isinstance(given, Exception):
            return Evaluated(command.task_run_id, command.purpose, error=str(given))
        return Evaluated(command.task_run_id, command.purpose, given)

    def end_of(self, run: TaskRun, attempt: int) -> Event:
        answer = self._answer(run, attempt)
        if answer is State.FAILED:
            return TaskFailed(run.id, attempt, "told to fail")
        if answer is State.KILLED:
            return TaskKilled(run.id, attempt)
        return TaskSucceeded(run.id, attempt, {"by": run.task_id}, state=answer)

    def _answer(self, run: TaskRun, attempt: int) -> State:
        answer = self.script.get(run.task_id, State.SUCCESS)
        return answer(run, attempt) if isinstance(answer, Callable) else answer

    def release(self, task_id: str, state: State | None = None) -> "Simulation":
        """Let a held task end."""
        for run_id, command in list(self.waiting.items()):
            run = self.runs.by_id[run_id]
            if run.task_id == task_id:
                del self.waiting[run_id]
                script = dict(self.script)
                if state is not None:
                    self.script[task_id] = state
                event = self.end_of(run, command.attempt)
                self.script = script
                return self.feed(event)
        raise AssertionError(f"{task_id} is not held")

    def claim(self, task_id: str) -> None:
        """Let a worker take the attempt of a held task, as the store does it."""
        run = self.of(task_id)[0].enter(State.RUNNING, self.now)
        self.runs.by_id[run.id] = begin_attempt(run, self.now)

    def fire_timers(self) -> "Simulation":
        due, self.timers = self.timers, {}
        for key, at in due.items():
            self.now = max(self.now, at)
            self.feed(TimerFired(key))
        return self

    def forget_unfolded(self) -> None:
        """Lose what a fold keeps in memory alone when it is cut: its process has died."""
        kept = deque(one for one in self.commands if not self._is_unfolded(one))
        self.commands = kept

    def _is_unfolded(self, command: Any) -> bool:
        if isinstance(command, RunTask):
            run = self.runs.by_id.get(command.task_run_id)
            return run is not None and self.flow.task(run.task_id).kind is TaskKind.INLINE
        return isinstance(command, Evaluate | StartChild | Continue)

    # ── looking

    @property
    def state(self) -> str:
        return str(self.execution.state)

    def of(self, task_id: str) -> list[TaskRun]:
        return [run for run in self.runs.by_id.values() if run.task_id == task_id]

    def states(self, *task_ids: str) -> list[str]:
        return [str(run.state) for task_id in task_ids for run in self.of(task_id)]

    @property
    def summary(self) -> dict[str, str]:
        return {
            f"{r.task_id}/{r.value}" if r.value else r.task_id: str(r.state)
            for r in self.runs.by_id.values()
        }


# ── builders with defaults ───────────────────────────────────────────────────────────────────────


def task(id: str, kind: TaskKind = TaskKind.INLINE, **more: Any) -> Task:
    return Task(id=id, type="io.kestra.plugin.core.log.Log", kind=kind, **more)


def script(id: str, **more: Any) -> Task:
    return task(id, TaskKind.WORKER, **more)


def flowable(id: str, name: str, properties: dict[str, Any] | None = None, **more: Any) -> Task:
    children = {key.rstrip("_"): value for key, value in more.items() if isinstance(value, tuple)}
    rest = {key: value for key, value in more.items() if not isinstance(value, tuple)}
    return Task(
        id=id,
        type=FLOW + name,
        kind=TaskKind.FLOWABLE,
        properties=properties or {},
        children=children,
        **rest,
    )


def a_flow(*tasks: Task, **more: Any) -> Flow:
    return Flow(id="f", namespace="n", tasks=tasks, **more)


def play(
    *tasks: Task,
    script: dict[str, Any] | None = None,
    values: dict[str, Any] | None = None,
    held: Iterable[str] = (),
    **more: Any,
) -> Simulation:
    return Simulation(a_flow(*tasks, **more), script or {}, values or {}, set(held)).start()


__all__ = ["FLOW", "START", "Simulation", "a_flow", "flowable", "play", "replace", "script", "task"]
