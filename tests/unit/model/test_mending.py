import pytest

from runner.model.mending import Unreadable, mend
from runner.model.quartz import unix_of
from runner.registry import load

REGISTRY = load()
HEAD = "id: f\nnamespace: n\n"
TASKS = "tasks:\n  - id: a\n    type: io.kestra.plugin.core.log.Log\n    message: hi\n"


def mended(source):
    """Return the new text, and see that nothing is left to mend in it."""
    text = mend(source, REGISTRY).text
    assert mend(text, REGISTRY).text == text
    return text


def test_what_is_of_today_stays_as_it_is():
    source = HEAD + "# a comment\n" + TASKS.replace("hi", '"hi"   # another')

    assert mend(source, REGISTRY).text == source


@pytest.mark.parametrize("source", ["[]", "id: x", "inputs: [{name: a}]", ""])
def test_what_is_no_flow_stays_as_it_is(source):
    assert mend(source, REGISTRY).text == source


def test_what_is_no_yaml_is_told():
    with pytest.raises(Unreadable):
        mend("a: [", REGISTRY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("io.kestra.core.tasks.log.Log", "io.kestra.plugin.core.log.Log"),
        ("io.kestra.core.tasks.scripts.Bash", "io.kestra.core.tasks.scripts.Bash"),
        ("core.log.Log", "core.log.Log"),
    ],
)
def test_a_type_gets_its_name_of_today(old, new):
    source = HEAD + f"tasks:\n  - id: a\n    type: {old} # why\n    message: hi\n"

    assert mended(source) == source.replace(old, new)


def test_loops_become_foreach():
    source = HEAD + (
        "tasks:\n"
        "  - id: a # first\n"
        "    type: io.kestra.core.tasks.flows.EachSequential\n"
        '    value: ["x"]\n'
        "    tasks:\n"
        "      - {id: b, type: io.kestra.plugin.core.flow.EachParallel, value: [1], tasks: []}\n"
        "      - id: c\n"
        "        type: io.kestra.plugin.core.flow.EachParallel\n"
        "        concurrent: 2\n"
        "        value: [1]\n"
    )

    assert mended(source) == HEAD + (
        "tasks:\n"
        "  - id: a # first\n"
        "    type: io.kestra.plugin.core.flow.ForEach\n"
        '    values: ["x"]\n'
        "    tasks:\n"
        "      - {concurrencyLimit: 0, id: b, type: io.kestra.plugin.core.flow.ForEach, "
        "values: [1], tasks: []}\n"
        "      - id: c\n"
        "        type: io.kestra.plugin.core.flow.ForEach\n"
        "        concurrencyLimit: 2\n"
        "        values: [1]\n"
    )


def test_properties_of_flows_inputs_and_retries_get_their_names_of_today():
    source = HEAD + (
        "taskDefaults: []\n"
        "inputs:\n"
        "  - name: a\n"
        "    type: BOOLEAN\n"
        "  - {id: b, type: MULTISELECT, options: [x]}\n"
        "  - {id: form, type: FORM, inputs: [{name: c, type: ENUM, values: [x]}]}\n"
        "tasks:\n"
        "  - id: t\n"
        "    type: io.kestra.plugin.core.flow.Pause\n"
        "    delay: PT1S\n"
        "    retry: {type: constant, interval: PT1S, maxAttempt: 3}\n"
        "    onResume:\n"
        "      - {name: d, type: BOOLEAN}\n"
    )

    text = mended(source)

    assert text == HEAD + (
        "pluginDefaults: []\n"
        "inputs:\n"
        "  - id: a\n"
        "    type: BOOL\n"
        "  - {id: b, type: MULTISELECT, values: [x]}\n"
        "  - {id: form, type: FORM, inputs: [{id: c, type: SELECT, values: [x]}]}\n"
        "tasks:\n"
        "  - id: t\n"
        "    type: io.kestra.plugin.core.flow.Pause\n"
        "    pauseDuration: PT1S\n"
        "    retry: {type: constant, interval: PT1S, maxAttempts: 3}\n"
        "    onResume:\n"
        "      - {id: d, type: BOOL}\n"
    )


def test_runner_and_docker_become_task_runner_and_image():
    source = HEAD + (
        "tasks:\n"
        "  - id: a\n"
        "    type: io.kestra.plugin.scripts.shell.Commands\n"
        "    runner: DOCKER\n"
        "    docker:\n"
        "      image: 'alpine' # small\n"
        "    commands: [ls]\n"
    )

    assert mended(source) == HEAD + (
        "tasks:\n"
        "  - id: a\n"
        "    type: io.kestra.plugin.scripts.shell.Commands\n"
        "    taskRunner: {type: io.kestra.plugin.scripts.runner.docker.Docker}\n"
        "    containerImage: 'alpine' # small\n"
        "    commands: [ls]\n"
    )


@pytest.mark.parametrize(
    "more",
    [
        "    docker: {image: x, user: root}\n    commands: [ls]\n",
        "    commands: ['ls > {{ outputDir }}/x']\n",
    ],
)
def test_what_a_runner_still_means_is_left(more):
    task = "tasks:\n  - id: a\n    type: io.kestra.plugin.scripts.shell.Commands\n"
    source = HEAD + task + "    runner: PROCESS\n" + more

    assert mended(source) == source


def test_a_schedule_of_quartz_becomes_one_of_unix():
    trigger = (
        "triggers:\n"
        "  - id: t\n"
        "    type: io.kestra.plugin.core.trigger.Schedule\n"
        "    minLogLevel: INFO\n"
        "    cron: 0 30 7 ? * MON-FRI # weekdays\n"
        "    scheduleConditions: []\n"
    )

    found = mend(HEAD + TASKS + trigger, REGISTRY)

    assert '    cron: "30 7 * * MON-FRI" # weekdays\n    conditions: []\n' in found.text
    assert "    logLevel: INFO\n" in found.text
    assert [change.line for change in found.changes] == [10, 11, 12]


@pytest.mark.parametrize(
    ("quartz", "unix"),
    [
        ("0 0 12 * * ?", "0 12 * * *"),
        ("0 15 10 ? * 2-6 *", "15 10 * * 1-5"),
        ("0 0/5 14 1 JAN ?", "0/5 14 1 JAN *"),
        ("0 0 8 ? * 1", "0 8 * * 0"),
        ("0 0 12 L * ?", None),
        ("0 0 12 ? * 6#3", None),
        ("30 0 12 * * ?", None),
        ("0 0 12 * * ? 2027", None),
        ("0 12 * * *", None),
    ],
)
def test_quartz_is_said_in_five_fields_where_that_can_be_done(quartz, unix):
    assert unix_of(quartz) == unix


def _task(*lines):
    return HEAD + "tasks:\n  - id: a\n" + "".join(f"    {line}\n" for line in lines)


SHELL = "type: io.kestra.plugin.scripts.shell.Commands"
DOCKER = "io.kestra.plugin.scripts.runner.docker.Docker"
REQUEST = "type: io.kestra.plugin.core.http.Request"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            (SHELL, "warningOnStdErr: false", "commands: [ls] # all"),
            (SHELL, "commands: [ls] # all"),
        ),
        (
            (SHELL, "warningOnStdErr: false # why", "commands: [ls]"),
            (SHELL, " # why", "commands: [ls]"),
        ),
        (
            (
                SHELL,
                "runner: DOCKER",
                "docker: # here",
                "  image: x",
                "  cpu: {cpus: 1}",
                "commands: [ls]",
            ),
            (
                SHELL,
                "taskRunner: # here",
                f"  type: {DOCKER}",
                "  cpu: {cpus: 1}",
                "commands: [ls]",
            ),
        ),
        (
            (SHELL, "taskRunner: {type: " + DOCKER + ", image: x}", "commands: [ls]"),
            (SHELL, "taskRunner: {type: " + DOCKER + "}", "commands: [ls]"),
        ),
        (
            (REQUEST, "uri: x", "allowFailed: true # quiet"),
            (REQUEST, "uri: x", "options: {allowFailed: true} # quiet"),
        ),
        (
            (REQUEST, "allowFailed: true", "options:", "  followRedirects: false", "uri: x"),
            (REQUEST, "options:", "  allowFailed: true", "  followRedirects: false", "uri: x"),
        ),
        (
            (REQUEST, "uri: x", "sslOptions: {insecureTrustAllCertificates: true}"),
            (REQUEST, "uri: x", "options: {ssl: {insecureTrustAllCertificates: true}}"),
        ),
        (
            ("type: io.kestra.plugin.core.kv.PurgeKV", "expiredOnly: false"),
            (
                "type: io.kestra.plugin.core.kv.PurgeKV",
                "behavior: {type: key, expiredOnly: false}",
            ),
        ),
        (
            ("type: io.kestra.plugin.core.execution.Exit", "state: CANCELED # so"),
            ("type: io.kestra.plugin.core.execution.Exit", "state: CANCELLED # so"),
        ),
    ],
)
def test_properties_move_to_where_they_are_today(old, new):
    written = mended(_task(*old))

    image = "containerImage: x\n    "
    assert written.replace(image, "").replace("  - " + image.lstrip(), "  - ") == _task(*new)
    assert ("containerImage: x" in written) == ("image: x" in "".join(old))


def test_windows_of_old_conditions_become_time_windows():
    trigger = (
        "triggers:\n"
        "  - id: t\n"
        "    type: io.kestra.plugin.core.trigger.Flow\n"
        "    conditions:\n"
        "      - type: io.kestra.plugin.core.condition.MultipleCondition\n"
        "        id: both\n"
        "        window: P1D # a day\n"
        "        windowAdvance: PT1H\n"
        "        conditions: {}\n"
    )

    written = mended(HEAD + TASKS + trigger)

    assert "        timeWindow: {window: P1D, windowAdvance: PT1H} # a day\n" in written
    assert "PT1H\n" not in written


def test_what_has_no_effect_is_taken_away():
    trigger = (
        "triggers:\n"
        "  - id: t\n"
        "    backfill: {}\n"
        "    type: io.kestra.plugin.core.trigger.Schedule\n"
        "    cron: 0 1 * * *\n"
    )

    assert mended(HEAD + TASKS + trigger) == HEAD + TASKS + trigger.replace(
        "    backfill: {}\n", ""
    )


def test_only_a_named_runner_holds_an_output_directory():
    script = "script: touch {{ outputDir }}/a"
    kept = _task(
        SHELL.replace("Commands", "Script"), "runner: DOCKER", "docker: {image: x}", script
    )

    assert mended(kept) == kept
    assert "containerImage: x" in mended(kept.replace("    runner: DOCKER\n", ""))


@pytest.mark.parametrize(
    "data",
    [
        "variables:\n  retry: {maxAttempt: 5}\n  a: {type: io.kestra.plugin.core.debug.Echo}\n",
        "labels:\n  retry: {maxAttempt: 5}\n",
        "inputs:\n  - {id: a, type: JSON, defaults: {retry: {maxAttempt: 1}}}\n",
    ],
)
def test_data_that_looks_like_a_part_of_a_flow_stays(data):
    body = "body: {tasks: [{type: io.kestra.plugin.core.debug.Echo, retry: {maxAttempt: 1}}]}"
    source = data + _task(REQUEST, "uri: x", body)

    assert mended(source) == source


def test_retries_of_plugin_defaults_are_mended():
    defaults = "pluginDefaults:\n  - type: core.log.Log\n    values: {retry: {maxAttempt: 1}}\n"

    assert "{maxAttempts: 1}" in mended(HEAD + defaults + TASKS)


@pytest.mark.parametrize("kind", ["&u io.kestra.plugin.core.debug.Echo", "*t"])
def test_anchors_are_told_and_left(kind):
    with pytest.raises(Unreadable, match="anchors"):
        mend(HEAD + f"x: &t a\ntasks:\n  - id: a\n    type: {kind}\n", REGISTRY)


EACH = "type: io.kestra.plugin.core.flow.EachParallel"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "value: [1]\n    id: a\n    type: io.kestra.plugin.core.flow.EachParallel\n",
            "concurrencyLimit: 0\n    values: [1]\n    id: a\n"
            "    type: io.kestra.plugin.core.flow.ForEach\n",
        ),
        (
            f"runner: DOCKER\n    docker: {{image: x, user: y}}\n    {SHELL}\n    id: a\n",
            f"containerImage: x\n    taskRunner: {{type: {DOCKER}, user: y}}\n    {SHELL}\n"
            "    id: a\n",
        ),
    ],
)
def test_what_is_added_before_the_first_property_stays_if_that_changes(old, new):
    head = HEAD + "tasks:\n  - "

    assert mended(head + old) == head + new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"{{ inputs.x }}"', '"{{ inputs.x }}"'),
        (">-\n      {{ inputs.x }}", '"{{ inputs.x }}"'),
        ("true", "true"),
    ],
)
def test_values_keep_their_meaning_between_braces(old, new):
    purge = "type: io.kestra.plugin.core.kv.PurgeKV"
    source = _task(f"expiredOnly: {old}", purge)

    assert mended(source) == _task(f"behavior: {{type: key, expiredOnly: {new}}}", purge)


def test_blocks_end_where_their_text_ends():
    lines = (
        "type: io.kestra.plugin.core.trigger.Schedule",
        "cron: >-",
        "  0 0 12 * * ?",
        "backfill:",
        "  labels:",
        "  - a",
        "# of the other",
    )
    other = "  - {id: o, type: io.kestra.plugin.core.trigger.Webhook, key: k}\n"
    text = "".join(f"    {line}\n" for line in lines)

    written = mended(HEAD + TASKS + "triggers:\n  - id: t\n" + text + other)

    assert (
        written
        == HEAD
        + TASKS
        + (
            "triggers:\n"
            "  - id: t\n"
            "    type: io.kestra.plugin.core.trigger.Schedule\n"
            '    cron: "0 12 * * *"\n'
            "    # of the other\n"
        )
        + other
    )


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\x85"])
def test_lines_keep_how_they_end(newline):
    old = _task(EACH, "value: [1]", "retry:", "  maxAttempt: 1")
    trigger = (
        "triggers:\n  - id: t\n    type: io.kestra.plugin.core.trigger.Schedule\n"
        "    cron: 0 1 * * *\n    backfill: {}\n"
    )

    written = mended((old + trigger).replace("\n", newline))

    assert "\n" not in written.replace(newline, "")
    assert written == (
        old.replace("- id", "- concurrencyLimit: 0\n    id").replace("EachParallel", "ForEach")
        + trigger.replace("    backfill: {}\n", "")
    ).replace("value:", "values:").replace("maxAttempt:", "maxAttempts:").replace("\n", newline)


def test_anchors_of_what_is_no_flow_are_nothing():
    assert mended("a: &a {b: 1}\nc: *a\n") == "a: &a {b: 1}\nc: *a\n"
