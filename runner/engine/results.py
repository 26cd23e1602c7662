"""What the end of an attempt means (execution-semantics §8)."""

from __future__ import annotations

from datetime import datetime

from runner import durations
from runner.engine import directing, directories, ending, kill, lists, retry
from runner.engine.commands import SetTimer, StartReplay, Tell
from runner.engine.events import TaskFailed, TaskKilled, TaskSucceeded
from runner.engine.step import Step, end_attempt
from runner.model.evolve import replace
from runner.model.execution import Attempt, TaskRun
from runner.model.flow import Retry, Task
from runner.model.logs import Level
from runner.model.states import State

MAX_LOSSES = 3
"""How often an attempt is sent again after its worker died."""

End = TaskSucceeded | TaskFailed | TaskKilled


def expects(run: TaskRun | None, attempt: int) -> bool:
    """Say whether this attempt is the one that may end now."""
    if run is None or attempt < 0:
        return False
    if attempt == len(run.attempts):
        return True  # not seen to start: inline tasks
    return attempt == len(run.attempts) - 1 and not run.attempts[attempt].state.is_terminal


def succeeded(step: Step, run: TaskRun, event: TaskSucceeded) -> None:
    """Record a good end, or the end that the task asked for."""
    task = step.task(run)
    state = event.state
    run = _ended(step, run, event, state)
    _show_made(step, run, event)
    if event.outputs:
        run = replace(run, outputs=dict(event.outputs))
    elif run.outputs is None:
        run = replace(run, outputs={})
    if event.directives is not None:
        directing.apply(step, event.directives)
        if event.directives.exit is not None and directing.can_exit(step):
            directing.exit_with(step, run, event.directives.exit)
            return
    policy = retry.policy(step.flow, task.id)
    if state is State.FAILED and _tried_again(step, task, run):
        return
    again = policy is not None and policy.warning_on_retry and len(retry.counted(run.attempts)) > 1
    if again and state is State.SUCCESS:
        state = State.WARNING
    _close(step, task, run, state)


def failed(step: Step, run: TaskRun, event: TaskFailed) -> None:
    """Record a failure: send again, retry, or fail."""
    task = step.task(run)
    state = State.RESUBMITTED if event.lost else State.FAILED
    run = _ended(step, run, event, state)
    _show_made(step, run, event)
    if event.outputs is not None:
        run = replace(run, outputs=dict(event.outputs))
    if run.state.is_terminal or step.execution.state is State.KILLING:
        _close(step, task, run, State.KILLED if event.lost else State.FAILED)
    elif event.lost and (event.handed_back or _losses(run) < MAX_LOSSES):
        run = run if event.handed_back else _with_loss(run)
        if directories.is_directory(task):
            run = directories.begin_again(step, run)
        lists.submit(step, run)
    elif event.lost or not _tried_again(step, task, run):
        _close(step, task, run, State.FAILED)


def killed(step: Step, run: TaskRun, event: TaskKilled) -> None:
    """Record that a stopped attempt is gone."""
    _close(step, step.task(run), _ended(step, run, event, State.KILLED), State.KILLED)


def _show_made(step: Step, run: TaskRun, event: TaskSucceeded | TaskFailed) -> None:
    """Keep the runs that a task has made by itself; they have ended, and steer nothing."""
    for made in event.made:
        state = State(made.get("state", State.SUCCESS))
        history = ((State.CREATED, step.now), (State.RUNNING, step.now), (state, step.now))
        step.made(
            run,
            str(made["task_id"]),
            value=made.get("value"),
            history=history,
            attempts=(Attempt(state, history, event.worker_id),),
            outputs=dict(made.get("outputs") or {}),
        )


def timed_out(step: Step, run: TaskRun) -> None:
    """Fail a wait that takes longer than the task's timeout."""
    timeout = durations.parse(run.evaluated["timeout"])
    message = f"Timeout after {durations.clock_text(timeout)}"
    step.do(Tell(Level.ERROR, message, run.id))
    failed(step, run, TaskFailed(run.id, len(run.attempts) - 1, message))


def slept_late(step: Step, run: TaskRun) -> None:
    """Keep for the record that a Sleep whose flowable had ended without it is over (§5.4)."""
    ended = end_attempt(run, State.SUCCESS, step.now)
    if ended is not run:
        step.put(ended.enter(State.SUCCESS, step.now))


def _close(step: Step, task: Task, run: TaskRun, state: State) -> None:
    if run.state.is_terminal:  # late: its flowable has ended without it; kept for the record
        step.put(run.enter(lists.adjusted(task, state), step.now))
    elif directories.is_directory(task):
        directories.attempt_ended(step, step.put(run), state)
    else:
        step.put(run)
        lists.finish(step, run, state)
    if step.execution.state is State.KILLING:
        kill.look(step)


def _ended(step: Step, run: TaskRun, event: End, state: State) -> TaskRun:
    """Return the run with its attempt ended; one that was not seen to start gets all its history
    now.
    """
    started, ended = event.started_at or step.now, event.ended_at or step.now
    if len(run.attempts) == event.attempt:
        history = ((State.CREATED, started), (State.RUNNING, started), (state, ended))
        attempt = Attempt(state, history, event.worker_id, event.log_file)
        return _running(replace(run, attempts=(*run.attempts, attempt)), started)
    last = run.attempts[-1]
    closed = replace(
        last, state=state, history=(*last.history, (state, ended)), log_file=event.log_file
    )
    return _running(replace(run, attempts=(*run.attempts[:-1], closed)), started)


def _running(run: TaskRun, at: datetime) -> TaskRun:
    return run if run.state.is_terminal else run.enter(State.RUNNING, at)


def _losses(run: TaskRun) -> int:
    """How often a worker of this run has died; one that went in good order does not count."""
    return int(run.evaluated.get("losses", 0))


def _with_loss(run: TaskRun) -> TaskRun:
    return replace(run, evaluated={**run.evaluated, "losses": _losses(run) + 1})


def _tried_again(step: Step, task: Task, run: TaskRun) -> bool:
    """Schedule the next attempt if a retry allows one."""
    policy = retry.policy(step.flow, task.id)
    if policy is None or run.state.is_terminal or directories.is_directory(task):
        return False
    if policy.behavior == "CREATE_NEW_EXECUTION":
        return _replayed(step, policy, run)
    following = retry.next_attempt(policy, run, step.now)
    if following is None:
        return False
    run = step.put(run.enter(State.FAILED, step.now).enter(State.RETRYING, step.now))
    step.do(SetTimer(f"retry:{run.id}", following.at, following.until))
    if step.execution.state is State.RUNNING and not any(
        _is_at_work(step, other, run) for other in step.live()
    ):
        step.execution = step.execution.enter(State.RETRYING, step.now)
    return True


def _is_at_work(step: Step, other: TaskRun, retried: TaskRun) -> bool:
    is_leaf = not step.task(other).children
    return is_leaf and other.id != retried.id and other.state is not State.RETRYING


def _replayed(step: Step, policy: Retry, run: TaskRun) -> bool:
    following = retry.next_execution(policy, step.execution, step.now)
    if following is None:
        return False
    step.do(StartReplay(following.at))
    step.put(run.enter(State.FAILED, step.now))
    for live in list(step.live()):
        step.put(live.enter(State.RETRIED, step.now))
    step.put(step.get(run.id).enter(State.RETRIED, step.now))
    ending.end(step, State.RETRIED)
    return True
