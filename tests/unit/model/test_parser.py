import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.flow import TaskKind
from runner.model.parser import parse_flow

from .flows import LOG, REGISTRY, a_source, as_yaml, faults, parsed


def test_a_valid_flow_has_no_problems():
    found = parsed()
    assert found.problems == ()
    assert found.flow is not None
    assert (found.flow.namespace, found.flow.id) == ("company.team", "flow")


def test_all_problems_come_at_once_with_their_places():
    source = """\
id: a flow
namespace: company.team
tasks:
  - id: log
    type: core.log.Log
    mesage: hello
  - id: log
    type: core.log.Lob
    disabled: maybe
"""
    found = parsed(source)
    assert found.flow is None
    assert [(one.line, one.column, one.code, one.path) for one in found.problems] == [
        (1, 5, "value", "id"),
        (4, 5, "required", "tasks[0].message"),
        (6, 5, "property_unknown", "tasks[0].mesage"),
        (7, 9, "duplicate", "tasks[1].id"),
        (8, 11, "type_unknown", "tasks[1].type"),
        (9, 15, "value", "tasks[1].disabled"),
    ]


def test_the_nearest_name_is_shown():
    messages = [one.message for one in parsed(tasks=[{**LOG, "mesage": "x"}]).problems]
    assert "did you mean 'message'?" in messages[0]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"id": None}, ("required", "id")),
        ({"id": "-a"}, ("value", "id")),
        ({"id": "a" * 101}, ("value", "id")),
        ({"id": "search"}, ("rule", "id")),
        ({"namespace": "Company"}, ("value", "namespace")),
        ({"tasks": None}, ("required", "tasks")),
        ({"tasks": []}, ("required", "tasks")),
        ({"tasks": {"a": 1}}, ("structure", "tasks")),
        ({"tasks": ["log"]}, ("structure", "tasks[0]")),
        ({"extra": 1}, ("property_unknown", "extra")),
        ({"sla": [{}]}, ("required", "sla[0].type")),
        ({"concurrency": {"limit": 0}}, ("value", "concurrency.limit")),
        ({"concurrency": {}}, ("required", "concurrency.limit")),
        ({"labels": {"Team": "a"}}, ("value", "labels.Team")),
        ({"labels": {"team": [1]}}, ("value", "labels.team")),
        ({"labels": {"system.from": "me"}}, ("rule", "labels.system.from")),
        ({"retry": {"type": "never"}}, ("type_unknown", "retry.type")),
        ({"retry": {"type": "constant"}}, ("required", "retry.interval")),
        ({"inputs": [{"id": "a"}]}, ("required", "inputs[0].type")),
        ({"inputs": [{"id": "a", "type": "FOO"}]}, ("type_unknown", "inputs[0].type")),
        ({"outputs": [{"id": "a", "type": "STRING"}]}, ("required", "outputs[0].value")),
    ],
)
def test_a_fault_is_found(changes, fault):
    assert fault in faults(**changes)


def test_an_explicit_null_is_the_same_as_nothing():
    source = a_source() + "description: null\nlabels: ~\nerrors:\n"
    assert parsed(source).problems == ()


def test_a_flow_without_a_namespace_takes_the_one_handed_in():
    source = a_source(namespace=None)
    found = parse_flow(source, REGISTRY, default_namespace="company")
    assert found.flow is not None
    assert found.flow.namespace == "company"


def test_numbers_become_the_texts_of_their_values():
    source = """\
id: 012
namespace: a
description: 1e3
labels: {a: yes, b: 1.10}
tasks: [{id: t, type: core.log.Log, message: x}]
"""
    flow = parsed(source).flow
    assert flow is not None
    assert (flow.id, flow.description) == ("10", "1000.0")
    assert flow.labels == (("a", "true"), ("b", "1.1"))


def test_types_are_known_by_short_names_and_aliases():
    flow = parsed(tasks=[{**LOG, "type": "core.log.Log"}]).flow
    assert flow is not None
    assert flow.tasks[0].type == LOG["type"]
    old = parsed(tasks=[{**LOG, "type": "io.kestra.core.tasks.log.Log"}])
    assert [(one.severity, one.code) for one in old.problems] == [("info", "alias")]
    assert old.flow is not None
    assert old.flow.tasks[0].type == LOG["type"]


def test_of_a_type_that_is_not_available_only_common_properties_are_judged():
    task = {
        "id": "l s",
        "type": "io.kestra.plugin.aws.s3.List",
        "nonsense": 1,
        "retry": {"type": "constant", "interval": "soon"},
    }
    assert faults(tasks=[task]) == [
        ("value", "tasks[0].id"),
        ("value", "tasks[0].retry.interval"),
        ("not_available_yet", "tasks[0].type"),
    ]


def test_children_of_a_type_that_is_not_available_are_read():
    task = {
        "id": "dir",
        "type": "io.kestra.plugin.core.flow.WorkingDirectory",
        "tasks": [LOG, {**LOG, "id": "x", "mesage": 1}],
    }
    assert ("property_unknown", "tasks[0].tasks[1].mesage") in faults(tasks=[task])


def test_children_stand_in_their_lists():
    task = {
        "id": "if",
        "type": "core.flow.If",
        "condition": "{{ true }}",
        "then": [LOG],
        "else": [{**LOG, "id": "other"}],
    }
    flow = parsed(tasks=[task]).flow
    assert flow is not None
    top = flow.tasks[0]
    assert top.kind is TaskKind.FLOWABLE
    assert top.properties == {"condition": "{{ true }}"}
    assert {name: [one.id for one in tasks] for name, tasks in top.children.items()} == {
        "then": ["log"],
        "else": ["other"],
    }


@pytest.mark.parametrize(
    ("task", "fault"),
    [
        ({"type": "core.flow.Sequential"}, ("required", "tasks[0].tasks")),
        ({"type": "core.flow.Parallel", "tasks": []}, ("required", "tasks[0].tasks")),
        ({"type": "core.flow.ForEach", "tasks": [LOG]}, ("required", "tasks[0].values")),
        (
            {"type": "core.flow.ForEach", "values": [1], "concurrencyLimit": -1, "tasks": [LOG]},
            ("value", "tasks[0].concurrencyLimit"),
        ),
        ({"type": "core.flow.If"}, ("required", "tasks[0].then")),
        ({"type": "core.flow.Sleep"}, ("required", "tasks[0].duration")),
        ({"type": "core.flow.Subflow", "flowId": "x"}, ("required", "tasks[0].namespace")),
        (
            {"type": "core.flow.Subflow", "namespace": "company.team", "flowId": "flow"},
            ("rule", "tasks[0].id"),
        ),
        (
            {"type": "core.flow.Pause", "onResume": [{"id": "a", "type": "NONE"}]},
            ("type_unknown", "tasks[0].onResume[0].type"),
        ),
    ],
)
def test_flowables_need_what_they_work_on(task, fault):
    assert faults(tasks=[{"id": "t", **task}]) == [fault]


def test_a_type_that_is_not_there_comes_with_the_way_out():
    found = parsed(tasks=[{"id": "t", "type": "core.flow.Template"}])

    assert "start it with a Subflow" in found.problems[0].message


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("core.flow.AllowFailure", {"tasks": [LOG]}),
        ("core.flow.EachSequential", {"value": "[1]", "tasks": [LOG]}),
        ("core.flow.EachParallel", {"value": "[1]", "tasks": [LOG]}),
        ("core.flow.Switch", {"value": "a", "cases": {"a": [LOG]}}),
        ("core.flow.Dag", {"tasks": [{"task": LOG}]}),
    ],
)
def test_flowables_are_valid_or_named_as_not_available_yet(name, properties):
    info = REGISTRY.look_up(name)
    assert info is not None
    found = faults(tasks=[{"id": "t", "type": name, **properties}])
    assert found == ([] if info.available else [("not_available_yet", "tasks[0].type")])


def test_ids_are_unique_over_the_whole_flow():
    tasks = [{"id": "p", "type": "core.flow.Parallel", "tasks": [LOG]}]
    assert faults(tasks=tasks, errors=[LOG]) == [("duplicate", "errors[0].id")]


def test_literals_that_can_only_fail_later_are_warnings():
    found = parsed(tasks=[{**LOG, "level": "loud"}])
    assert found.flow is not None
    assert [(one.severity, one.code, one.path) for one in found.problems] == [
        ("warning", "value", "tasks[0].level")
    ]


def test_values_with_expressions_are_taken_on_trust():
    assert parsed(tasks=[{**LOG, "level": "{{ inputs.level }}"}]).problems == ()


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("* * * *", "5 are needed"),
        ("0 0 7 ? * MON", "write '0 7 * * MON'"),
        ("0 7 * * MON#1", "Quartz"),
        ("61 * * * *", "invalid cron expression"),
        ("@never", "nicknames"),
        ("*/{{ inputs.n }} * * * *", "expressions are not evaluated"),
    ],
)
def test_wrong_cron_expressions_say_what_to_write(cron, words):
    trigger = {"id": "s", "type": "core.trigger.Schedule", "cron": cron}
    found = parsed(triggers=[trigger])
    assert found.flow is None
    assert words in found.problems[0].message
    assert found.problems[0].path == "triggers[0].cron"


@pytest.mark.parametrize("cron", ["*/5 * * * *", "@hourly", "0 7 * * MON-FRI", "0 0 30 2 *"])
def test_good_cron_expressions_pass(cron):
    assert not faults(triggers=[{"id": "s", "type": "core.trigger.Schedule", "cron": cron}])


@pytest.mark.parametrize(
    ("child", "is_refused"),
    [
        (LOG, False),
        ({"id": "s", "type": "core.flow.Sleep", "duration": "PT1S"}, False),
        ({"id": "p", "type": "core.flow.Pause"}, True),
        ({"id": "s", "type": "core.flow.Subflow", "namespace": "a", "flowId": "b"}, True),
        ({"id": "d", "type": "core.flow.WorkingDirectory", "tasks": [LOG]}, True),
        ({"id": "l", "type": "core.execution.Labels", "labels": {"a": "b"}}, True),
        ({"id": "e", "type": "core.execution.Exit"}, True),
        ({**LOG, "workerGroup": {"key": "big"}}, True),
        ({"id": "x", "type": "io.kestra.plugin.aws.s3.List"}, False),
    ],
)
def test_a_working_directory_takes_what_runs_on_its_worker(child, is_refused):
    task = {"id": "dir", "type": "core.flow.WorkingDirectory", "tasks": [child]}
    assert (("rule", "tasks[0].tasks") in faults(tasks=[task])) is is_refused


@pytest.mark.parametrize(
    "task",
    [
        {
            "type": "core.flow.ForEachItem",
            "items": "a",
            "namespace": "a",
            "flowId": "b",
            "labels": {"system.from": "me"},
        },
        {
            "type": "core.flow.Subflow",
            "namespace": "a",
            "flowId": "b",
            "labels": [{"key": "system.from", "value": "me"}],
        },
    ],
)
def test_tasks_set_no_labels_of_the_system(task):
    (code,) = {code for code, _ in faults(tasks=[{"id": "t", **task}])}
    assert code == "rule"


@pytest.mark.parametrize("key", ["timeout", "taskCache", "workerGroup"])
def test_what_has_no_effect_on_a_flowable_is_warned_of(key):
    value = {"timeout": "PT1S", "taskCache": {"enabled": True}, "workerGroup": {"key": "a"}}[key]
    task = {"id": "s", "type": "core.flow.Sequential", "tasks": [LOG], key: value}
    (problem,) = parsed(tasks=[task]).problems
    assert (problem.severity, problem.path) == ("warning", f"tasks[0].{key}")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        (
            {"triggers": [{"id": "t", "type": "core.trigger.Webhook", "key": "k" * 257}]},
            "triggers[0].key",
        ),
        (
            {
                "tasks": [
                    {
                        "id": "t",
                        "type": "core.flow.If",
                        "condition": ["{{ a }}"],
                        "then": [{"id": "l", "type": "core.log.Log", "message": "m"}],
                    }
                ]
            },
            "tasks[0].condition",
        ),
    ],
)
def test_what_can_never_fit_is_refused(changes, path):
    assert ("value", path) in faults(**changes)


@pytest.mark.parametrize(
    ("more", "is_warned"),
    [
        ({}, True),
        ({"states": ["FAILED"]}, True),
        ({"conditions": [{"type": "core.condition.ExecutionStatus", "in": ["FAILED"]}]}, False),
        ({"preconditions": {"id": "p", "flows": [{"namespace": "a.b"}]}}, False),
    ],
)
def test_a_flow_trigger_that_hears_everything_is_warned_of(more, is_warned):
    trigger = {"id": "t", "type": "io.kestra.plugin.core.trigger.Flow", **more}
    found = parsed(triggers=[trigger])
    assert found.flow is not None
    texts = [one.message for one in found.problems if one.severity == "warning"]
    assert sum("EVERY execution of EVERY flow" in text for text in texts) == int(is_warned)


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Pariss", "did you mean Europe/Paris?"),
        ("Asia/Delhi", "Unknown time-zone ID: Asia/Delhi"),
        ("+25:00:00:00", "write a region"),
    ],
)
def test_a_wrong_time_zone_is_named(zone, words):
    trigger = {"id": "t", "type": "core.trigger.Schedule", "cron": "@daily", "timezone": zone}
    (problem,) = parsed(triggers=[trigger]).problems
    assert words in problem.message


def test_all_faults_of_a_time_window_come_at_once():
    window = {"type": "DAILY_TIME_WINDOW", "deadline": "09:00:00"}
    preconditions = {"id": "p", "timeWindow": window, "flows": [{"namespace": "a.b"}]}
    trigger = {"id": "t", "type": "core.trigger.Flow", "preconditions": preconditions}
    (problem,) = parsed(triggers=[trigger]).problems
    for words in ("must have a start time", "must have an end time", "cannot have a deadline"):
        assert words in problem.message


def test_the_old_name_of_an_input_is_deprecated_and_fills_its_id():
    found = parsed(inputs=[{"name": "a", "type": "STRING"}])
    assert found.flow is not None
    assert [one.id for one in found.flow.inputs] == ["a"]
    assert [(one.severity, one.path) for one in found.problems] == [
        ("deprecation", "inputs[0].name")
    ]


def test_plugin_defaults_reach_every_object_of_their_type():
    defaults = [{"type": "io.kestra.plugin.core.log", "values": {"level": "WARN"}}]
    strong = {**LOG, "id": "strong", "level": "ERROR"}
    flow = parsed(tasks=[LOG, strong], pluginDefaults=defaults).flow
    assert flow is not None
    assert [task.properties["level"] for task in flow.tasks] == ["WARN", "ERROR"]
    assert "level" not in flow.document["tasks"][0]


def test_forced_plugin_defaults_win():
    defaults = [{"type": LOG["type"], "forced": True, "values": {"level": "WARN"}}]
    flow = parsed(tasks=[{**LOG, "level": "ERROR"}], pluginDefaults=defaults).flow
    assert flow is not None
    assert flow.tasks[0].properties["level"] == "WARN"


def test_an_unknown_reference_to_plugin_defaults_is_refused():
    assert faults(
        tasks=[{**LOG, "pluginDefaultsRef": "x"}],
        pluginDefaults=[{"type": LOG["type"], "values": {"level": "WARN"}}],
    ) == [("rule", "tasks[0].pluginDefaultsRef")]


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_WORDS = st.sampled_from(
    [
        "id",
        "type",
        "tasks",
        "inputs",
        "triggers",
        "cron",
        "timezone",
        "message",
        "level",
        "labels",
        "retry",
        "then",
        "else",
        "cases",
        "defaults",
        "errors",
        "concurrency",
        "limit",
        "pluginDefaults",
        "values",
        "dependsOn",
        "conditions",
        "outputs",
        "value",
        "namespace",
        "onResume",
    ]
)
_NAMES = st.sampled_from(
    [
        "core.log.Log",
        "core.flow.If",
        "core.flow.Pause",
        "core.flow.Dag",
        "core.flow.Switch",
        "core.trigger.Schedule",
        "core.trigger.Flow",
        "core.condition.Not",
        "core.kv.Set",
        "INT",
        "DATE",
    ]
)
_TREES = st.recursive(
    _SCALARS | _NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=6),
    max_leaves=30,
)


@given(st.dictionaries(_WORDS, _TREES, max_size=8))
def test_any_mapping_gives_a_flow_or_problems(tree):
    found = parsed(as_yaml(tree))
    assert found.flow is not None or found.problems


@given(st.text())
def test_any_text_gives_a_flow_or_problems(text):
    assert parsed(text).problems


@given(_TREES, _TREES)
def test_any_task_gives_a_flow_or_problems(tree, other):
    task = {**LOG, **(tree if isinstance(tree, dict) else {"message": tree})}
    flow = {"id": "a", "namespace": "b", "tasks": [task], "triggers": [other]}
    found = parsed(as_yaml(flow))
    assert found.flow is not None or found.problems
