"""Which tasks run next, and when a list is over (execution-semantics §5, §6).

An *owner* is a flowable's run, or None for the flow itself. It works on one list at a time: its
main list (``tasks``, ``then`` …), then perhaps ``errors``, then ``finally``; the flow also
``afterExecution``. A failure in the main list switches at once; in the others the next task
simply runs.
"""

from __future__ import annotations

from runner.engine import breakpoints, ending, listening, pausing
from runner.engine.commands import ClearTimer, Continue, Evaluate, RunTask, Tell
from runner.engine.flowables import FLOWABLES, ROOT
from runner.engine.flowables.base import Begun, Child, Flowable, Next, Situation, sequential
from runner.engine.flowables.batches import STATES
from runner.engine.step import OwnerId, Step, begin_attempt, end_attempt, skipped
from runner.model.evolve import replace
from runner.model.execution import Scope, TaskRun
from runner.model.flow import Task, TaskKind
from runner.model.logs import Level
from runner.model.states import State

ERRORS, FINALLY, AFTER, OUTPUTS, DONE = "errors", "finally", "afterExecution", "(outputs)", "(done)"
TAIL = frozenset({ERRORS, FINALLY, AFTER})
_LISTENERS = "listeners."


def is_tail(name: str) -> bool:
    """Say whether a list comes after the main one, and decides nothing."""
    return name in TAIL or name.startswith(_LISTENERS)


# ── a list ───────────────────────────────────────────────────────────────────────────────────────


def begin(step: Step, owner: OwnerId) -> None:
    """Start the main list of an owner."""
    name = _main(step, owner)
    if name is None:
        run = step.get(_id(owner))
        step.do(Tell(Level.WARN, f"No task found on flow for '{run.task_id}'", run.id))
        finish(step, run, State.FAILED)
        return
    step.set_scope(owner, Scope(list=name))
    _go_on(step, owner, None)


def child_ended(step: Step, child: TaskRun) -> None:
    """Work on the end of a task run: next siblings, another list, or the end of its owner."""
    if step.execution.state is State.KILLING:
        return
    if step.execution.state.stands_still:
        pausing.defer(step, child.id)
        return
    owner, scope = child.parent_id, step.scope(child.parent_id)
    place = step.flow.places.get(child.task_id)
    if scope is None or place is None or place.list_name != scope.list or _is_over(step, owner):
        return  # of a list that is left already: recorded, without effect
    if not is_tail(scope.list):
        scope = noted(scope, child.state)
        step.set_scope(owner, scope)
        if scope.failed or scope.killed:
            _leave_main(step, owner, scope)
            return
    _go_on(step, owner, child)


def continue_children(step: Step, run: TaskRun) -> None:
    """Create further children that `Continue` announced."""
    if run.scope is not None and not run.state.is_terminal and not _failed(run.scope):
        _go_on(step, run.id, None)


def _go_on(step: Step, owner: OwnerId, ended: TaskRun | None) -> None:
    following = _next(step, owner, ended)
    step.set_scope(owner, following.scope)
    for child in following.children:
        create(step, owner, child)
    if following.more and owner is not None:
        step.do(Continue(owner))
    if following.is_done:
        _list_done(step, owner, following.scope)


def _next(step: Step, owner: OwnerId, ended: TaskRun | None) -> Next:
    scope = step.scope(owner)
    assert scope is not None
    run = None if owner is None else step.get(owner)
    tasks = step.tasks(owner, scope.list)
    if not tasks:
        return Next((), scope)
    situation = Situation(
        owner=owner,
        run=run,
        tasks=tasks,
        scope=scope,
        ended=ended,
        ended_index=step.flow.places[ended.task_id].index if ended else 0,
        flowable=step.task(run) if run else None,
    )
    if is_tail(scope.list):
        return sequential(situation)
    return _flowable(step, owner).next(situation)


def _list_done(step: Step, owner: OwnerId, scope: Scope) -> None:
    if is_tail(scope.list):
        _leave_tail(step, owner, scope)
    elif question := _question(step, owner):
        step.do(question)
    else:
        _leave_main(step, owner, scope)


def _question(step: Step, owner: OwnerId) -> Evaluate | None:
    if owner is None:
        return None
    run = step.get(owner)
    return _flowable(step, owner).at_end(step.task(run), run)


def leave_main(step: Step, owner: str, *, failed: bool) -> None:
    """Go on behind the main list of a flowable."""
    scope = step.scope(owner)
    assert scope is not None
    scope = replace(scope, failed=scope.failed or failed)
    step.set_scope(owner, scope)
    _leave_main(step, owner, scope)


def _leave_main(step: Step, owner: OwnerId, scope: Scope) -> None:
    if scope.failed and not scope.killed and step.tasks(owner, ERRORS):
        enter(step, owner, ERRORS)
    else:
        _enter_finally(step, owner)


def _leave_tail(step: Step, owner: OwnerId, scope: Scope) -> None:
    if scope.list == ERRORS:
        _enter_finally(step, owner)
    elif scope.list == FINALLY:
        _end(step, owner)
    elif scope.list.startswith(_LISTENERS):
        listening.go_on(step)
    else:
        ending.fully_ended(step)


def _enter_finally(step: Step, owner: OwnerId) -> None:
    if step.tasks(owner, FINALLY):
        enter(step, owner, FINALLY)
    else:
        _end(step, owner)


def enter_after_execution(step: Step) -> None:
    """Run the flow's ``afterExecution`` list; without one the execution is fully ended."""
    if step.tasks(None, AFTER):
        enter(step, None, AFTER)
    else:
        ending.fully_ended(step)


def enter(step: Step, owner: OwnerId, name: str) -> None:
    """Begin another list of an owner."""
    scope = step.scope(owner)
    assert scope is not None
    step.set_scope(owner, replace(scope, list=name, cursor=0, open=0))
    _go_on(step, owner, None)


def _end(step: Step, owner: OwnerId) -> None:
    scope = step.scope(owner)
    assert scope is not None
    if owner is None:
        ending.lists_done(step, outcome(scope))
    else:
        finish(step, step.get(owner), outcome(scope))


def outcome(scope: Scope) -> State:
    """Return what a list's runs say together (§6.1)."""
    if scope.killed:
        return State.KILLED
    if scope.failed:
        return State.FAILED
    return State.WARNING if scope.warned else State.SUCCESS


def noted(scope: Scope, state: State) -> Scope:
    """Return the scope of a main list with the end of one of its runs."""
    return replace(
        scope,
        failed=scope.failed or state is State.FAILED,
        warned=scope.warned or state is State.WARNING,
        killed=scope.killed or state is State.KILLED,
    )


def _failed(scope: Scope) -> bool:
    return scope.failed or scope.killed


def _is_over(step: Step, owner: OwnerId) -> bool:
    if owner is not None:
        return step.get(owner).state.is_terminal
    scope = step.execution.scope
    return scope.list in (OUTPUTS, DONE) or (
        step.execution.state.is_terminal
        and scope.list != AFTER
        and not scope.list.startswith(_LISTENERS)
    )


def _flowable(step: Step, owner: OwnerId) -> Flowable:
    return ROOT if owner is None else FLOWABLES[step.task(step.get(owner)).type]


def _main(step: Step, owner: OwnerId) -> str | None:
    if owner is None:
        return "tasks"
    run = step.get(owner)
    return _flowable(step, owner).main(step.task(run), run)


def _id(owner: OwnerId) -> str:
    assert owner is not None
    return owner


# ── a task run ───────────────────────────────────────────────────────────────────────────────────


def create(step: Step, owner: OwnerId, child: Child) -> TaskRun:
    """Make a task run and set it going."""
    run = step.create(child.task, owner, child.value, child.iteration)
    dispatch(step, run)
    return run


def dispatch(step: Step, run: TaskRun) -> None:
    """Set a created run going, unless it is stopped: its ``runIf`` first, if it has one."""
    if breakpoints.stops(step, run):
        return
    task = step.task(run)
    if task.run_if is not None:
        step.do(Evaluate(run.id, "run_if", {"run_if": task.run_if}))
    else:
        start(step, run)


def start(step: Step, run: TaskRun) -> None:
    """Start a created run."""
    task = step.task(run)
    match task.kind:
        case TaskKind.FLOWABLE:
            _start_flowable(step, task, run)
        case TaskKind.INLINE:
            step.do(RunTask(run.id, len(run.attempts)))
        case TaskKind.WORKER:
            submit(step, run)


def submit(step: Step, run: TaskRun) -> None:
    """Ask for the next attempt of a worker task."""
    run = step.enter(run, State.SUBMITTED)
    step.do(RunTask(run.id, len(run.attempts)))


def start_again(step: Step, run: TaskRun) -> None:
    """Start a flowable that a restart has put into RUNNING."""
    _start_flowable(step, step.task(run), run)


def _start_flowable(step: Step, task: Task, run: TaskRun) -> None:
    kept = {name: run.evaluated[name] for name in (STATES,) if name in run.evaluated}
    run = replace(run, evaluated=kept)  # each attempt has fields of its own
    run = step.put(_with_attempt(step, task, run.enter(State.RUNNING, step.now)))
    command = FLOWABLES[task.type].evaluate(task, run)
    if command is None:
        flowable_ready(step, run)
    else:
        step.do(command)


def _with_attempt(step: Step, task: Task, run: TaskRun) -> TaskRun:
    """A flowable around tasks has one attempt, however often it goes on; others a new one."""
    goes_on = bool(run.attempts) and bool(task.children)
    return run if goes_on else begin_attempt(run, step.now)


def flowable_ready(step: Step, run: TaskRun) -> None:
    """Begin a flowable whose fields are rendered."""
    task = step.task(run)
    try:
        begun = FLOWABLES[task.type].begin(task, run, step.now)
    except (ValueError, KeyError, TypeError) as exc:
        fail_flowable(step, run, str(exc))
        return
    _begun(step, begun)


def _begun(step: Step, begun: Begun) -> None:
    run = step.put(begun.run)
    step.do(*begun.commands)
    if run.state is State.PAUSED:
        ending.stand_still(step, run)
    elif begun.children:
        try:
            begin(step, run.id)
        except ValueError as exc:  # a limit that is no number
            fail_flowable(step, run, str(exc))


def fail_flowable(step: Step, run: TaskRun, message: str) -> None:
    """Fail a flowable that could not begin."""
    step.do(Tell(Level.ERROR, message, run.id))
    scope = run.scope or Scope()
    step.put(replace(step.get(run.id), scope=replace(scope, failed=True)))
    finish(step, step.get(run.id), State.FAILED)


def adjusted(task: Task, state: State) -> State:
    """Return the state of a run, given that of its last attempt (§8.1.6)."""
    if state is State.FAILED and task.allow_failure:
        state = State.WARNING
    if state is State.WARNING and task.allow_warning:
        state = State.SUCCESS
    return state


def finish(step: Step, run: TaskRun, state: State) -> None:
    """End a run, with what is still open below it, and go on with its siblings."""
    task = step.task(run)
    if task.kind is TaskKind.FLOWABLE:
        try:
            state = FLOWABLES[task.type].outcome(task, run, state)
        except (ValueError, KeyError, TypeError) as exc:
            step.do(Tell(Level.ERROR, str(exc), run.id))
            state = State.FAILED
    final = adjusted(task, state)
    if state is State.SKIPPED:
        run = skipped(run, step.now)
    is_around = bool(task.children)  # its last attempt ends as it does, whatever its worker said
    run = end_attempt(run, final if is_around else state, step.now, anew=is_around)
    run = step.put(run.enter(final, step.now))
    if task.children:
        _close_below(step, run)
    child_ended(step, run)


def _close_below(step: Step, run: TaskRun) -> None:
    """Give what is still open below a terminal flowable its state; running work goes on, without
    effect.
    """
    for child in list(step.live_below(run.id)):
        if child.state is State.RETRYING:
            step.do(ClearTimer(f"retry:{child.id}"))
        if _has_no_work_of_its_own(step, child):
            child = end_attempt(child, run.state, step.now)
        closed = step.put(child.enter(run.state, step.now))
        if step.task(closed).children:
            _close_below(step, closed)


def _has_no_work_of_its_own(step: Step, run: TaskRun) -> bool:
    task = step.task(run)
    return run.state is State.PAUSED or (task.kind is TaskKind.FLOWABLE and bool(task.children))


def begin_told(step: Step, run: TaskRun, told: State) -> None:
    """Start the lists of a resumed Pause: told FAILED goes to its ``errors`` at once (§5.1)."""
    step.set_scope(run.id, Scope(list="tasks", failed=told is State.FAILED))
    if told is State.FAILED:
        _leave_main(step, run.id, Scope(failed=True))
    else:
        _go_on(step, run.id, None)


def cancel(step: Step) -> None:
    """End the execution CANCELLED: what lives is closed, running work goes on without effect."""
    for run in list(step.live()):
        step.put(run.enter(State.CANCELLED, step.now))
    ending.end(step, State.CANCELLED)
