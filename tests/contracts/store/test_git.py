from dataclasses import replace

import pytest

from runner.errors import NotFound
from runner.store.base import (
    CommitRow,
    FileVersionRow,
    NamespaceFileRow,
    ProblemRow,
    SourceRow,
    SyncRun,
    TreeFile,
)
from tests.contracts.store.builders import NOW, at

SOURCE = SourceRow("team", "https://git.example.org/team", "main", "NEW")


def a_problem(path="_flows/a.yaml", number=0, **fields):
    return ProblemRow(**{
        "source": "team", "path": path, "number": number, "code": "unknown_type",
        "message": "no such type", "commit": "c", "at": NOW, **fields,
    })  # fmt: skip


def test_a_source_is_saved_only_over_the_version_that_was_read(tx):
    assert tx.sources.save(SOURCE)
    read = tx.sources.get("team")
    assert read == replace(SOURCE, version=1)
    full = replace(
        read,
        state="SYNCED",
        head="h",
        remote_head="r",
        tree="t",
        refs={"refs/heads/main": "h"},
        error="e",
        failures=2,
        polled_at=at(1),
        next_poll_at=at(2),
        synced_at=at(3),
    )
    assert tx.sources.save(full)
    assert not tx.sources.save(full)
    assert not tx.sources.save(SOURCE)
    assert tx.sources.list() == [replace(full, version=2)]
    assert tx.sources.find("nope") is None
    with pytest.raises(NotFound, match="nope"):
        tx.sources.get("nope")


def test_a_hurry_outlives_the_save_of_a_sync_under_way(tx):
    tx.sources.save(SOURCE)
    read = tx.sources.get("team")
    assert tx.sources.hurry("team", at(5))
    assert not tx.sources.hurry("nope", at(5))
    assert tx.sources.save(replace(read, state="SYNCED"))
    assert tx.sources.get("team").hurried_at == at(5)


def test_sync_runs_page_newest_first(tx):
    runs = [
        SyncRun("team", None if n == 0 else f"c{n}", f"c{n + 1}", {"added": n}, at(n), 7)
        for n in range(3)
    ]
    numbers = [tx.sync_runs.add(run) for run in runs]
    assert numbers == sorted(set(numbers))
    page = tx.sync_runs.of_source("team", limit=2)
    assert page.items == [replace(runs[2], id=numbers[2]), replace(runs[1], id=numbers[1])]
    assert tx.sync_runs.of_source("team", cursor=page.cursor).items == [
        replace(runs[0], id=numbers[0])
    ]
    assert tx.sync_runs.of_source("other").items == []


def test_commits_are_kept_once_and_found_by_their_beginning(tx):
    commits = [
        CommitRow("team", f"ab{n}", "Ada", "ada@example.org", f"m {n}", at(n)) for n in range(3)
    ]
    tx.commits.add(commits)
    tx.commits.add([replace(commits[0], message="other")])
    assert tx.commits.of_source("team", limit=2) == [commits[2], commits[1]]
    assert tx.commits.get("team", "ab0") == commits[0]
    assert tx.commits.find("team", "ab") is None
    assert tx.commits.with_prefix("ab1") == [commits[1]]
    with pytest.raises(NotFound):
        tx.commits.get("other", "ab0")


def test_problems_are_replaced_by_source_or_by_path(tx):
    a0, a1 = (
        a_problem(),
        a_problem(number=1, line=3, column=7, frame="x", namespace="n", flow_id="f"),
    )
    b = a_problem("_flows/b.yaml")
    tx.source_problems.replace("team", [b, a1, a0])
    assert tx.source_problems.of_source("team") == [a0, a1, b]
    assert tx.source_problems.of_flow("n", "f") == [a1]
    tx.source_problems.replace("team", [], paths=["_flows/a.yaml"])
    assert tx.source_problems.of_source("team") == [b]
    assert tx.source_problems.counts() == {"team": 1}
    tx.source_problems.replace("team", [], paths=[])
    assert tx.source_problems.of_source("team") == [b]
    tx.source_problems.replace("team", [])
    assert tx.source_problems.of_source("team") == []


def test_trees_are_shared_by_commits(tx):
    files = [
        TreeFile("a", "x/y.sql", "b1", 10),
        TreeFile("a", "z", "b2", 2**40),
        TreeFile("b", "z", "b2", 3),
    ]
    assert not tx.trees.has("t")
    tx.trees.add("t", files)
    tx.trees.add("t", files)
    assert tx.trees.has("t")
    assert tx.trees.files("t") == files
    assert tx.trees.files("t", "b") == files[2:]
    assert tx.trees.find("t", "a", "z") == files[1]
    assert tx.trees.find("t", "b", "x/y.sql") is None
    for sha in ("c1", "c2", "c2"):
        tx.trees.set_commit("team", sha, "t")
    assert tx.trees.of_commit("team", "c2") == "t"
    assert tx.trees.of_commit("team", "c3") is None


def test_a_removed_source_leaves_nothing_of_its_own(tx):
    tx.sources.save(SOURCE)
    tx.source_problems.replace("team", [a_problem()])
    tx.sync_runs.add(SyncRun("team", None, "c", {}, NOW, 1))
    tx.sources.remove("team")
    assert tx.sources.list() == tx.source_problems.of_source("team") == []
    assert tx.sync_runs.of_source("team").items == []


def test_namespace_files_remember_what_they_were(tx):
    rows = [FileVersionRow("a.b", "x.sql", n, f"kestra:///{n}", n, at(n)) for n in (1, 2)]
    other = FileVersionRow("a.b", "y.sql", 1, "kestra:///y", 1, at(1))
    for row in (*reversed(rows), other, replace(rows[0], uri="kestra:///again")):
        tx.namespace_files.keep(row)

    assert tx.namespace_files.versions("a.b", "x.sql") == rows
    assert tx.namespace_files.versions("a.b") == [*rows, other]
    assert [tx.namespace_files.forget(rows[0]) for _ in range(2)] == [True, False]
    tx.namespace_files.remove("a.b", "x.sql")
    assert tx.namespace_files.versions("a.b") == [other]


def test_namespace_files_count_versions(tx):
    file = NamespaceFileRow("a.b", "x/y_1.sql", "kestra:///f", 5, NOW, NOW)
    tx.namespace_files.save(file)
    tx.namespace_files.save(replace(file, created_at=at(9), updated_at=at(9), size=2**33))
    after = replace(file, version=2, updated_at=at(9), size=2**33)
    assert tx.namespace_files.get("a.b", "x/y_1.sql") == after
    assert tx.namespace_files.list("a.b", prefix="x/") == tx.namespace_files.list("a.b") == [after]
    assert tx.namespace_files.list("a.b", prefix="x/y%") == []
    assert tx.namespace_files.namespaces() == ["a.b"]
    assert [tx.namespace_files.remove("a.b", "x/y_1.sql") for _ in range(2)] == [True, False]
    with pytest.raises(NotFound):
        tx.namespace_files.get("a.b", "x/y_1.sql")
