import pytest

from gitsync.triggers import TYPE, Commit, commit_trigger, fires, variables, watches
from runner.model.flow import Trigger
from tests.unit.gitsync.builders import a_push

MAIN = "refs/heads/main"


def a_trigger(**properties):
    return Commit(type=TYPE, **properties)


@pytest.mark.parametrize(
    ("properties", "ref", "expected"),
    [
        ({}, MAIN, True),
        ({}, "refs/heads/other", False),
        ({}, "refs/tags/v1", False),
        ({"branches": ["release/*"]}, "refs/heads/release/1", True),
        ({"branches": ["release/*"]}, MAIN, False),
        ({"tags": ["v*"]}, "refs/tags/v1", True),
        ({"tags": ["v*"]}, MAIN, False),
        ({"branches": ["main"], "tags": ["v*"]}, "refs/tags/v1", True),
        ({"branches": ["**"]}, "refs/notes/x", False),
    ],
)
def test_a_trigger_watches(properties, ref, expected):
    assert watches(a_trigger(**properties), ref, MAIN) is expected


def test_a_single_pattern_and_a_number_are_taken_as_they_are_meant():
    trigger = commit_trigger(Trigger("a", TYPE, {"branches": "main", "tags": [1.5]}))

    assert (trigger.branches, trigger.tags) == (["main"], ["1.5"])


@pytest.mark.parametrize(
    ("properties", "changed", "expected"),
    [
        ({}, [], True),
        ({"paths": ["src/**"]}, ["src/a.py"], True),
        ({"paths": ["src/**"]}, ["docs/a.md"], False),
        ({"paths": ["src/**"]}, [], False),
        ({"pathsIgnore": ["docs/**"]}, ["docs/a.md"], False),
        ({"pathsIgnore": ["docs/**"]}, ["docs/a.md", "src/a.py"], True),
        ({"pathsIgnore": ["docs/**"]}, [], True),
    ],
)
def test_changed_files_decide(properties, changed, expected):
    assert fires(a_trigger(**properties), a_push(changed=changed), MAIN) is expected


def test_path_filters_do_not_speak_of_tags():
    trigger = a_trigger(tags=["v*"], paths=["src/**"])

    assert fires(trigger, a_push("refs/tags/v1", changed=[]), MAIN)


@pytest.mark.parametrize(
    "message", ["Fix [skip ci]", "[CI SKIP] Fix", "Fix\n\n[no ci]", "[skip headrace]"]
)
def test_a_message_may_ask_for_nothing_to_start(message):
    assert not fires(a_trigger(), a_push(message=message), MAIN)


def test_a_trigger_that_is_disabled_or_of_another_type_is_none():
    assert commit_trigger(Trigger("a", TYPE)) is not None
    assert commit_trigger(Trigger("a", TYPE, disabled=True)) is None
    assert commit_trigger(Trigger("a", "io.kestra.plugin.core.trigger.Schedule")) is None


def test_expressions_see_the_normalized_event_and_short_names():
    said = variables(a_push(message="Fix it"))

    assert said["ref"] == MAIN
    assert said["branch"] == "main"
    assert "tag" not in said
    assert said["repository"] == "acme/flows"
    assert said["commit"]["author"] == {"name": "Ann", "email": "ann@example.org"}
    assert said["commit"]["timestamp"] == "2026-01-05T10:00:00.000Z"
    assert said["changedFiles"] == said["changed_files"] == ["_flows/hello.yaml"]
    assert (said["sha"], said["author"], said["message"]) == ("b" * 40, "Ann", "Fix it")
    assert said["created"] is False


def test_a_new_ref_has_no_commit_before():
    said = variables(a_push("refs/tags/v1", before=None))

    assert (said["created"], said["before"], said["tag"]) == (True, "0" * 40, "v1")


def test_a_key_names_source_ref_trigger_and_commit():
    key = a_push().key("company.team", "hello", "pushed")

    assert key == f"commit:team/{MAIN}/company.team/hello/pushed/{'b' * 40}"
