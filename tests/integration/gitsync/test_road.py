"""From a push to revisions, files and executions."""

import sqlite3

import pytest

from tests.integration.gitsync.conftest import ON_PUSH, a_flow

HELLO, OTHER = "_flows/hello.yaml", "_flows/sub/other.yaml"


def test_a_first_sync_brings_everything_and_starts_nothing(bench):
    repo = bench.repository(
        files={
            HELLO: a_flow("hello", ON_PUSH),
            OTHER: a_flow("other").replace("namespace: company.team\n", ""),
            "_files/src/x.py": "print(1)",
        }
    )

    outcome = bench.one()

    assert outcome.state == "SYNCED"
    flows = bench.flows()
    assert {row.namespace for row in flows.values()} == {"company.team", "company.team.sub"}
    assert flows["hello"].commit == repo.git("rev-parse", "HEAD")
    assert bench.files(flows["hello"].commit) == {"src/x.py": b"print(1)"}
    assert bench.executions() == []
    with bench.store.read() as tx:
        revision = tx.revisions.get("company.team", "hello", 1)
        trigger = tx.triggers.find("company.team", "hello", "pushed")
    assert (revision.path, revision.ref) == (HELLO, "refs/heads/main")
    assert revision.source == a_flow("hello", ON_PUSH)
    assert trigger.type == "io.headrace.trigger.Commit"


def test_the_same_road_on_postgresql(postgres_bench):
    bench = postgres_bench
    files = {HELLO: a_flow("hello", ON_PUSH), "_files/a": "1", "_files/b": "1"}
    repo = bench.repository(files=files)
    bench.one()

    sha = repo.push({HELLO: a_flow("hello", ON_PUSH + "# 2\n"), "_files/a": "2"})
    outcome = bench.one()

    assert outcome.plan.summary() == {"changed": 1, "files": 1, "unchanged": 0}
    assert bench.files(sha) == {"a": b"2", "b": b"1"}
    assert [(e.revision, e.commit) for e in bench.executions()] == [(2, sha)]
    assert bench.one().plan is None


def test_a_push_starts_one_execution_pinned_to_its_commit_and_revision(bench):
    repo = bench.repository(files={HELLO: a_flow("hello", ON_PUSH)})
    bench.one()
    before = repo.git("rev-parse", "HEAD")

    sha = repo.push({HELLO: a_flow("hello", ON_PUSH + "# 2\n")}, "Change it")
    outcome = bench.one()
    bench.one()

    [execution] = bench.executions()
    assert outcome.started == 1
    assert (execution.commit, execution.revision) == (sha, 2)
    said = execution.trigger.variables
    assert (said["before"], said["after"], said["message"]) == (before, sha, "Change it")
    assert said["changedFiles"] == [HELLO]
    assert bench.runtime.queue.sent == [f"drive_{execution.id}_1"]


def test_a_trigger_fires_for_the_very_push_that_brings_it(bench):
    repo = bench.repository(files={"README.md": "x"})
    bench.one()

    repo.push({HELLO: a_flow("hello", ON_PUSH)})

    assert bench.one().started == 1


def test_an_empty_repository_is_a_baseline_too(bench):
    repo = bench.repository()
    outcome = bench.one()
    assert (outcome.state, outcome.error) == ("EMPTY", None)

    repo.push({HELLO: a_flow("hello", ON_PUSH)})

    assert bench.one().started == 1
    assert bench.executions()[0].trigger.variables["created"] is True


def test_a_message_may_ask_for_nothing_to_start(bench):
    repo = bench.repository(files={HELLO: a_flow("hello", ON_PUSH)})
    bench.one()

    repo.push({"x": "1"}, "Change [skip ci]")

    assert bench.one().started == 0


def test_inputs_and_labels_of_the_trigger_are_rendered(bench):
    declared = "inputs:\n  - id: who\n    type: STRING\n"
    trigger = ON_PUSH + (
        '    inputs:\n      who: "{{ trigger.author }}"\n'
        '    labels:\n      sha: "{{ trigger.sha }}"\n'
    )
    repo = bench.repository(files={HELLO: a_flow("hello", declared + trigger)})
    bench.one()

    sha = repo.push({"x": "1"})
    bench.one()

    [execution] = bench.executions()
    assert execution.inputs == {"who": "Ada Tester"}
    assert ("sha", sha) in execution.labels


def test_a_trigger_that_cannot_be_evaluated_makes_a_failed_execution(bench):
    trigger = ON_PUSH + '    inputs:\n      who: "{{ nothing.there }}"\n'
    declared = "inputs:\n  - id: who\n    type: INT\n"
    repo = bench.repository(files={HELLO: a_flow("hello", declared + trigger)})
    bench.one()

    repo.push({"x": "1"})
    bench.one()
    bench.one()

    assert [execution.state for execution in bench.executions()] == ["FAILED"]


def test_an_unchanged_repository_writes_nothing(bench, tmp_path):
    bench.repository(files={HELLO: a_flow("hello", ON_PUSH), "_files/a": "1", OTHER: "id: ["})
    bench.one()
    before = everything(tmp_path)

    outcome = bench.one()

    assert (outcome.plan, outcome.wrote) == (None, False)
    assert everything(tmp_path) == before


def everything(folder):
    """Return every row of the database."""
    connection = sqlite3.connect(folder / "home" / "headrace.db")
    names = [
        name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
    ]
    rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    connection.close()
    return rows


def test_a_broken_flow_shows_its_line_and_leaves_the_others_live(bench):
    repo = bench.repository(files={HELLO: a_flow("hello"), OTHER: a_flow("other")})
    bench.one()

    broken = a_flow("hello").replace("message: hello", "message: [")
    sha = repo.push({HELLO: broken, OTHER: a_flow("other", "description: new\n")})
    bench.one()

    flows = bench.flows()
    assert (flows["hello"].revision, flows["other"].revision) == (1, 2)
    assert flows["hello"].is_active
    [problem] = bench.problems()
    assert (problem.path, problem.flow_id, problem.commit) == (HELLO, "hello", sha)
    assert problem.line is not None
    assert "> 6 |     message: [" in problem.frame

    repo.push({HELLO: a_flow("hello", "description: mended\n")})
    bench.one()

    assert bench.problems() == []
    assert bench.flows()["hello"].revision == 2


def test_a_problem_keeps_the_commit_since_when_it_is_there(bench):
    repo = bench.repository(files={HELLO: "id: ["})
    bench.one()
    since = repo.git("rev-parse", "HEAD")

    repo.push({"x": "1"})
    bench.one()

    assert [problem.commit for problem in bench.problems()] == [since]


def test_files_that_move_are_renamed_or_change_case_keep_their_flow(bench):
    repo = bench.repository(files={HELLO: a_flow("hello"), OTHER: a_flow("other")})
    bench.one()

    repo.git("mv", HELLO, "_flows/HELLO.yaml")
    repo.git("mv", OTHER, "_flows/elsewhere.yaml")
    repo.push({}, "Move")
    outcome = bench.one()

    assert outcome.plan.summary() == {"moved": 2, "unchanged": 0}
    flows = bench.flows()
    assert flows["hello"].path == "_flows/HELLO.yaml"
    assert {row.revision for row in flows.values()} == {1}


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("disable", (True, False)), ("delete", (False, True)), ("keep", (False, False))],
)
def test_a_vanished_flow_follows_the_rule_and_comes_back_without_a_revision(
    bench, missing, expected
):
    repo = bench.repository(files={HELLO: a_flow("hello", ON_PUSH)}, missing=missing)
    bench.one()

    repo.push({HELLO: None})
    bench.one()

    row = bench.flows()["hello"]
    assert (row.absent, row.deleted) == expected
    repo.push({HELLO: a_flow("hello", ON_PUSH)}, "Back [skip ci]")
    bench.one()
    row = bench.flows()["hello"]
    assert row.is_active
    assert row.last_revision == 1
    with bench.store.read() as tx:
        assert tx.triggers.find("company.team", "hello", "pushed").digest


def test_the_schedule_of_an_absent_flow_waits_for_nothing(bench):
    cron = (
        "triggers:\n  - id: daily\n    type: io.kestra.plugin.core.trigger.Schedule\n"
        '    cron: "0 3 * * *"\n'
    )
    repo = bench.repository(files={HELLO: a_flow("hello", cron)})
    bench.one()
    with bench.store.read() as tx:
        assert tx.triggers.find("company.team", "hello", "daily").next_at is not None

    repo.push({HELLO: None})
    bench.one()

    with bench.store.read() as tx:
        assert tx.triggers.find("company.team", "hello", "daily").next_at is None


def test_a_commit_that_changes_only_files_is_what_the_next_run_sees(bench):
    repo = bench.repository(
        files={HELLO: a_flow("hello", ON_PUSH), "_files/a": "1", "_files/gone": "1"}
    )
    bench.one()
    old = repo.git("rev-parse", "HEAD")

    new = repo.push({"_files/a": "2", "_files/gone": None, "_files/b/c": "3"})
    bench.one()

    [execution] = bench.executions()
    assert (execution.revision, execution.commit) == (1, new)
    assert bench.files(new) == {"a": b"2", "b/c": b"3"}
    assert bench.files(old) == {"a": b"1", "gone": b"1"}
    assert bench.row().head == new


def test_a_force_push_takes_nothing_from_history(bench):
    repo = bench.repository(files={HELLO: a_flow("hello", ON_PUSH), "_files/a": "1"})
    bench.one()
    base = repo.git("rev-parse", "HEAD")
    lost = repo.push({HELLO: a_flow("hello", ON_PUSH + "# lost\n"), "_files/a": "2"})
    bench.one()

    repo.git("reset", "--quiet", "--hard", base)
    new = repo.push({"y": "1"}, "Other way", force=True)
    bench.one()

    first, second = bench.executions()
    assert (first.commit, first.revision) == (lost, 2)
    assert (second.commit, second.revision) == (new, 3)
    assert second.trigger.variables["forced"] is True
    assert second.trigger.variables["changedFiles"] == ["y"]
    assert bench.files(lost) == {"a": b"2"}
    with bench.store.read() as tx:
        assert tx.commits.find("team", lost) is not None
    mirror = bench.runtime.settings.home / "mirrors" / "team.git"
    assert (mirror / "refs" / "headrace" / "commits" / lost).exists()


def test_branches_and_tags_start_what_watches_them_at_their_own_files(bench):
    trigger = ON_PUSH + '    branches: ["release/*"]\n    tags: ["v*"]\n'
    repo = bench.repository(files={HELLO: a_flow("hello", trigger), "_files/a": "1"})
    bench.one()

    repo.git("checkout", "--quiet", "-b", "release/1")
    release = repo.commit({"_files/a": "release"}, "Release")
    repo.git("tag", "--annotate", "v1", "--message", "One")
    repo.git("push", "--quiet", "origin", "release/1", "v1")
    repo.git("checkout", "--quiet", "main")
    main = repo.push({"z": "1"})
    bench.one()

    by_ref = {e.trigger.variables["ref"]: e for e in bench.executions()}
    assert set(by_ref) == {"refs/heads/release/1", "refs/tags/v1"}
    assert {e.commit for e in by_ref.values()} == {release}
    assert by_ref["refs/heads/release/1"].trigger.variables["changedFiles"] == ["_files/a"]
    assert bench.files(release) == {"a": b"release"}
    assert bench.files(main) == {"a": b"1"}
    assert bench.one().started == 0


def test_a_missing_branch_names_those_that_are_there(bench):
    bench.repository(files={HELLO: a_flow("hello")}, branch="prod")

    outcome = bench.one()

    assert outcome.state == "FAILED"
    assert "main" in outcome.error


def test_two_sources_that_claim_one_flow_are_told_and_it_may_be_handed_over(bench):
    first = bench.repository("first", files={HELLO: a_flow("hello")})
    bench.sync()
    bench.repository("second", files={HELLO: a_flow("hello")})
    bench.sync()
    [problem] = bench.problems("second")
    assert problem.code == "owner"
    assert "source first" in problem.message
    assert bench.flows("git:second") == {}

    first.push({HELLO: None})
    bench.sync()
    bench.sync()

    assert bench.flows("git:second")["hello"].is_active
    assert bench.problems("second") == []


def test_a_source_that_is_not_configured_any_more_lets_go_of_its_flows(bench):
    bench.repository("old", files={HELLO: a_flow("hello", ON_PUSH)})
    bench.sync()
    bench.sources.clear()

    bench.sync()

    assert bench.flows("git:old")["hello"].absent
    assert bench.row("old") is None


def test_another_border_is_a_reason_to_look_again(bench):
    bench.repository(files={HELLO: a_flow("hello")})
    bench.one()

    bench.with_sources(namespace="company.other")
    bench.one()

    assert [problem.code for problem in bench.problems()] == ["border"]
    assert bench.flows()["hello"].is_active  # the last good revision stays


def test_a_dry_run_prints_the_plan_and_writes_nothing(bench):
    bench.repository(files={HELLO: a_flow("hello"), "_files/a": "1"})

    outcome = bench.one(dry_run=True)

    assert outcome.plan.summary() == {"added": 1, "files": 1, "unchanged": 0}
    assert bench.flows() == {}
    assert bench.row() is None


def test_links_submodules_and_lfs_are_refused_aloud(bench):
    repo = bench.repository(files={"_files/big": "version https://git-lfs.github.com/spec/v1\n"})
    (repo.clone / "_flows").mkdir()
    (repo.clone / HELLO).symlink_to("/etc/passwd")
    sub = repo.git("rev-parse", "HEAD")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{sub},_files/lib")
    repo.git("add", HELLO)
    repo.git("commit", "--quiet", "--message", "Odd things")
    repo.git("push", "--quiet", "origin", "HEAD")

    bench.one()

    codes = {problem.path: problem.code for problem in bench.problems()}
    assert codes == {HELLO: "symlink", "_files/lib": "submodule", "_files/big": "lfs"}
    assert bench.files(bench.row().head) == {}


def test_only_changed_files_are_read(bench, monkeypatch):
    files = {f"_flows/f{number}.yaml": a_flow(f"f{number}") for number in range(1_000)}
    repo = bench.repository(files=files)
    assert bench.one().plan.summary() == {"added": 1_000, "unchanged": 0}
    parsed = []
    world = bench.world
    object.__setattr__(
        world,
        "parse",
        lambda text, ns, parse=world.parse: (parsed.append(text), parse(text, ns))[1],
    )

    repo.push({"_flows/f7.yaml": a_flow("f7", "description: new\n")})
    outcome = bench.one()

    assert outcome.plan.summary() == {"changed": 1, "unchanged": 999}
    assert len(parsed) == 1
