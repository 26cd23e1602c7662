from dataclasses import replace

import pytest

from runner.errors import ArgumentInvalid, NotFound, Refused
from runner.model.problems import FlowInvalid
from runner.services.flows import split_documents, with_disabled, with_namespace
from runner.services.principal import LOCAL
from tests.unit.runtimes import BROKEN, HELLO, HOOKED


def test_the_text_comes_back_byte_for_byte(services):
    text = HELLO + "# a comment\n"

    services.flows.create(text, by=LOCAL)

    assert services.flows.get("company.team", "hello").revision.source == text


def test_the_same_text_makes_no_new_revision(services):
    services.flows.create(HELLO, by=LOCAL)

    again = services.flows.update("company.team", "hello", "revision: 9\n" + HELLO, by=LOCAL)

    assert again.revision.revision == 1


def test_creating_twice_is_refused(services):
    services.flows.create(HELLO, by=LOCAL)

    with pytest.raises(ArgumentInvalid, match="already exists"):
        services.flows.create(HELLO, by=LOCAL)


def test_a_wrong_text_is_refused_with_all_its_problems(services):
    with pytest.raises(FlowInvalid) as caught:
        services.flows.create("id: x\nnamespace: a.b\ntasks:\n  - {id: t, type: nope}\n", by=LOCAL)

    assert caught.value.problems


def test_id_and_namespace_cannot_be_changed(services):
    services.flows.create(HELLO, by=LOCAL)

    with pytest.raises(ArgumentInvalid):
        services.flows.update("company.team", "hello", BROKEN, by=LOCAL)


def test_a_deleted_flow_keeps_its_revisions_and_goes_on_counting(services):
    services.flows.create(HELLO, by=LOCAL)
    services.flows.delete("company.team", "hello", by=LOCAL)

    with pytest.raises(NotFound):
        services.flows.get("company.team", "hello")
    assert services.flows.get("company.team", "hello", with_deleted=True).revision.deleted
    assert services.flows.create(HELLO, by=LOCAL).revision.revision == 3


def test_what_git_owns_is_changed_in_git(services, runtime):
    services.flows.create(HELLO, by=LOCAL)
    with runtime.store.begin() as tx:
        tx.flows.save(replace(tx.flows.get("company.team", "hello"), owner="git:team"))

    with pytest.raises(Refused, match="Git source 'team'"):
        services.flows.update("company.team", "hello", HELLO + "description: x\n", by=LOCAL)
    with pytest.raises(Refused):
        services.flows.delete("company.team", "hello", by=LOCAL)


def test_many_flows_are_stored_all_or_none(services):
    with pytest.raises(FlowInvalid):
        services.flows.save_all([HELLO, "id: bad\n"], by=LOCAL, namespace="company.team")

    assert services.flows.search().items == []


def test_a_foreign_namespace_is_refused_or_overridden(services):
    foreign = with_namespace(BROKEN, "other")

    with pytest.raises(FlowInvalid, match="namespace"):
        services.flows.save_all([foreign], by=LOCAL, namespace="company.team")
    _, stored = services.flows.save_all(
        [foreign], by=LOCAL, namespace="company.team", override=True
    )

    assert stored[0].row.namespace == "company.team"


def test_delete_removes_the_others_of_the_namespace(services):
    services.flows.create(HELLO, by=LOCAL)

    gone, stored = services.flows.save_all(
        [BROKEN], by=LOCAL, namespace="company.team", delete=True
    )

    assert [each.row.flow_id for each in gone] == ["hello"]
    assert [each.row.flow_id for each in stored] == ["broken"]


def test_each_declared_trigger_has_a_state_from_the_start(services):
    services.flows.create(HOOKED, by=LOCAL)
    assert [each.row.trigger_id for each in services.triggers.search().items] == ["hook"]

    services.flows.delete("company.team", "hooked", by=LOCAL)
    assert services.triggers.search().items == []


def test_switching_off_writes_a_revision_that_says_so(services):
    services.flows.create(HELLO, by=LOCAL)

    off = services.flows.set_disabled("company.team", "hello", True, by=LOCAL)

    assert off.row.disabled
    assert off.revision.revision == 2
    assert with_disabled(off.revision.source, False) == HELLO


def test_documents_are_split_at_lines_of_three_dashes():
    assert split_documents("a: 1\n---\nb: '---'\n---\n\n") == ["a: 1\n", "b: '---'\n"]


def test_wrong_expressions_are_warnings_where_flows_are_saved(services):
    wrong = HELLO.replace("tasks:", 'variables: {v: "{{ x | upperr }}"}\ntasks:', 1)

    (parsed,) = services.flows.validate([wrong])

    (problem,) = [each for each in parsed.problems if each.code == "expression"]
    assert problem.severity == "warning"
    assert "upper" in problem.message
    assert parsed.flow is not None


def test_subflows_that_are_not_there_are_warned_of(services):
    def warnings(namespace, flow_id):
        task = f"{{id: t, type: core.flow.Subflow, namespace: {namespace}, flowId: {flow_id}}}"
        (parsed,) = services.flows.validate([f"id: a\nnamespace: b.c\ntasks:\n  - {task}\n"])
        return [one.message for one in parsed.problems if one.severity == "warning"]

    log = "tasks: [{id: t, type: core.log.Log, message: x}]\n"
    services.flows.create(f"id: there\nnamespace: b.c\n{log}", by=LOCAL)
    services.flows.create(f"id: quiet\nnamespace: b.c\ndisabled: true\n{log}", by=LOCAL)
    assert warnings("b.c", "there") == []
    assert warnings("b.c", "'{{ inputs.x }}'") == []
    assert warnings("b.c", "nowhere") == ["The subflow 'nowhere' not found in namespace 'b.c'."]
    assert warnings("b.c", "quiet") == ["The subflow 'quiet' is disabled in namespace 'b.c'."]


def test_a_revision_that_is_not_the_next_one_is_outdated(services):
    flow = "id: counted\nnamespace: b.c\ntasks: [{id: t, type: core.log.Log, message: x}]\n"

    def is_outdated(number):
        (parsed,) = services.flows.validate([f"{flow}revision: {number}\n"])
        return parsed.is_outdated

    assert [is_outdated(number) for number in (1, 2)] == [False, True]

    services.flows.create(flow, by=LOCAL)

    assert [is_outdated(number) for number in (1, 2, 3)] == [True, False, True]


def test_a_single_task_may_name_defaults_of_its_flow(services):
    task = "{id: a, type: core.log.Log, message: x, pluginDefaultsRef: loud}"

    assert services.flows.validate_part(task, "tasks") == []
