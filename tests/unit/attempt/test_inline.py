import pytest

from runner.attempt.inline import run_inline
from runner.attempt.kv import KvBuffer
from runner.engine.events import TaskFailed, TaskSucceeded
from runner.expressions import Context
from runner.model.execution import Execution, TaskRun
from runner.model.flow import Task, TaskKind
from runner.model.logs import Level
from runner.model.states import State
from tests.unit.runtimes import a_runtime

CORE = "io.kestra.plugin.core."


@pytest.fixture
def run(tmp_path):
    runtime = a_runtime(tmp_path / "home")
    now = runtime.clock.now()
    history = ((State.CREATED, now),)
    execution = Execution("EXEC", "company.team", "hello", 1, State.RUNNING, history)
    task_run = TaskRun("RUN", "EXEC", 0, "t", State.CREATED, history)

    class Rows:
        def find(self, namespace, key):
            return None

    buffer = KvBuffer(Rows())

    def run(type_name, variables=None, **properties):
        task = Task("t", CORE + type_name, TaskKind.INLINE, properties)
        context = Context(variables or {})
        return run_inline(
            runtime, execution, task_run, task, context, buffer, attempt=0, now=runtime.clock.now()
        )

    yield run
    runtime.store.close()


def test_a_log_task_gives_its_lines(run):
    done = run("log.Log", {"who": "Ada"}, message=["hi {{ who }}", "bye"], level="WARN")
    assert isinstance(done.event, TaskSucceeded)
    lines = [(line.number, line.level, line.message) for line in done.lines]
    assert lines == [(0, Level.WARN, "hi Ada"), (1, Level.WARN, "bye")]


def test_a_message_of_another_type_fails(run):
    assert "Invalid message type" in run("log.Log", message=5).event.message


def test_return_gives_its_text_and_two_metrics(run):
    done = run("debug.Return", {"n": 3}, format="n={{ n }}")
    assert done.event.outputs == {"value": "n=3"}
    assert [(m.name, m.kind, m.number) for m in done.metrics] == [
        ("length", "counter", 0),
        ("duration", "timer", 1),
    ]
    assert done.metrics[0].value == 3


def test_output_values_renders_at_any_depth(run):
    done = run("output.OutputValues", {"a": 1}, values={"x": ["{{ a }}", {"y": "{{ a }}"}]})
    assert done.event.outputs == {"values": {"x": ["1", {"y": "1"}]}}


def test_an_expression_that_cannot_be_rendered_fails_the_attempt_with_a_line(run):
    done = run("debug.Return", format="{{ missing }}")
    assert isinstance(done.event, TaskFailed)
    assert "missing" in done.event.message
    assert [line.level for line in done.lines] == [Level.ERROR]


def test_fail_fails_always_without_condition(run):
    assert run("execution.Fail", errorMessage="no way").event.message == "no way"


@pytest.mark.parametrize("condition", ["false", "0", "-0", " ", "{{ null }}"])
def test_fail_lets_falsy_conditions_pass(run, condition):
    assert isinstance(run("execution.Fail", condition=condition).event, TaskSucceeded)


def test_fail_on_a_condition_logs_its_message(run):
    done = run("execution.Fail", condition="{{ 1 < 2 }}", errorMessage="too small")
    assert done.event.message == "Fail on a condition"
    assert done.lines[0].message == "too small"


def test_what_is_set_is_got_later_in_the_same_fold(run):
    written = run("kv.Set", {"n": 5}, key="k", value="{{ n }}")
    assert [(row.kind, row.value) for row in written.kv_writes] == [("NUMBER", 5)]
    got = run("kv.Get", key="k")
    assert (got.event.outputs, list(got.kv_writes)) == ({"value": 5}, [])


@pytest.mark.parametrize(
    ("value", "kind", "stored"),
    [
        ("5", "NUMBER", 5),
        ("TRUE", "BOOLEAN", True),
        ('{"a": 1}', "JSON", {"a": 1}),
        ("90", "DURATION", "PT1M30S"),
        ("2026-01-05", "DATE", "2026-01-05"),
    ],
)
def test_a_kind_converts_a_text(run, value, kind, stored):
    (row,) = run("kv.Set", key="k", value=value, kvType=kind).kv_writes
    assert (row.kind, row.value) == (kind, stored)


def test_a_text_that_is_not_of_its_kind_fails(run):
    assert "NUMBER" in run("kv.Set", key="k", value="five", kvType="NUMBER").event.message


def test_an_existing_key_without_overwrite_fails(run):
    run("kv.Set", key="k", value="a")
    message = run("kv.Set", key="k", value="b", overwrite=False).event.message
    assert message.startswith("Cannot set value for key 'k'. Key already exists")


def test_a_missing_key_is_no_value_or_an_error(run):
    assert run("kv.Get", key="k").event.outputs == {}
    message = run("kv.Get", key="k", errorOnMissing=True).event.message
    assert message.startswith("No value found for key 'k' in namespace 'company.team'")
