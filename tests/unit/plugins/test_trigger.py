import pytest
from pydantic import ValidationError

from runner.plugin import TaskError
from runner.plugins import python, trigger
from runner.plugins._polling import is_met
from runner.registry import load
from tests.unit.plugins.rendering import a_context

PLACE = ("company.team", "flow", "poll")


def test_a_trigger_of_the_own_flow_is_switched(tmp_path):
    ctx = a_context(tmp_path)
    ctx.server.triggers[PLACE] = True

    trigger.Toggle(trigger="poll").run(ctx)
    assert not ctx.server.triggers[PLACE]

    trigger.Toggle(trigger="poll", enabled=True).run(ctx)
    assert ctx.server.triggers[PLACE]


def test_a_trigger_that_is_not_there_is_a_failure(tmp_path):
    with pytest.raises(TaskError, match=r"Unable to find trigger poll for the flow other\.flow"):
        trigger.Toggle(trigger="poll", namespace="other").run(a_context(tmp_path))


def test_a_date_needs_an_offset():
    with pytest.raises(ValidationError):
        trigger.ScheduleOnDates(dates=["2026-01-01T00:00:00"])


NAMES = [
    f"io.kestra.plugin.scripts.{language}.{kind}Trigger"
    for language in ("shell", "python", "node", "go", "ruby")
    for kind in ("Script", "Commands")
]
# scripts.shell.ScriptTrigger scripts.shell.CommandsTrigger scripts.python.ScriptTrigger
# scripts.python.CommandsTrigger scripts.node.ScriptTrigger scripts.node.CommandsTrigger
# scripts.go.ScriptTrigger scripts.go.CommandsTrigger scripts.ruby.ScriptTrigger
# scripts.ruby.CommandsTrigger: the names that the table above makes


@pytest.mark.parametrize("name", NAMES)
def test_a_script_trigger_runs_its_language(name):
    cls = load().find(name)
    given = {"script": "x"} if "Script" in name else {"commands": ["x"]}

    built = cls(exit_condition="exit 0", container_image="mine", **given)

    assert cls.script_class.__module__ == cls.__module__
    assert built.script_class(**built.given()).container_image == "mine"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [("exit 3", True), ("exit 0", False), ("rows.: 4\\d", True), ("rows.: 5", False), ("[", False)],
)
def test_a_condition_is_an_exit_code_or_a_pattern(condition, holds):
    assert is_met(condition, 3, {"rows": 42}) is holds


def test_a_trigger_of_python_installs_packages_as_its_script_would():
    trigger = python.ScriptTrigger(
        script="x", package_manager="PIP", python_version="3.11", dependencies=["a"]
    )

    script = python.Script(**trigger.given())

    assert (script.package_manager, script.python_version) == ("PIP", "3.11")
    assert script.packages == ["a"]


@pytest.mark.parametrize("cron", ["/5 * * * *", "5-5 * * * *", "0 0 * MAR,APR FRI"])
def test_a_cron_expression_may_be_written_like_this(cron):
    assert trigger.Schedule(cron=cron).cron == cron


@pytest.mark.parametrize("cron", ["R * * * *", "0 r * * *", "R(0-10) * * * *"])
def test_a_cron_expression_is_never_random(cron):
    with pytest.raises(ValidationError, match="write the dates out"):
        trigger.Schedule(cron=cron)
