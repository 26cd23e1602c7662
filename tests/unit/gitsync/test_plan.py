from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.changes import Act
from gitsync.plan import plan, to_read, within
from gitsync.tree import EMPTY, Comparison
from tests.unit.gitsync.builders import (
    a_comparison,
    a_read,
    a_reading,
    a_row,
    a_target,
    a_tree,
    an_error,
    blob,
    known,
)

HELLO = "_flows/hello.yaml"


def acts(made):
    return {change.flow_id: change.act for change in made.flows}


def test_a_new_file_is_added_as_revision_one():
    trees = a_comparison({}, {HELLO: "1"})

    made = plan(a_target(), trees, a_reading(a_read(HELLO)), {})

    [change] = made.flows
    assert (change.act, change.revision, change.text) == (Act.ADDED, 1, "id: hello")


def test_another_text_is_the_next_revision_after_the_highest_ever():
    trees = a_comparison({HELLO: "1"}, {HELLO: "2"})
    row = a_row(revision=2, last_revision=5)

    made = plan(a_target(), trees, a_reading(a_read(HELLO, "id: hello # 2")), known(row))

    [change] = made.flows
    assert (change.act, change.revision) == (Act.CHANGED, 6)


def test_the_text_that_is_active_changes_nothing():
    trees = a_comparison({}, {HELLO: "1"})

    made = plan(a_target(), trees, a_reading(a_read(HELLO)), known(a_row()))

    assert made.changes_nothing
    assert made.unchanged == 1


def test_another_path_is_a_move_and_no_revision():
    trees = a_comparison({HELLO: "1"}, {"_flows/HELLO.yaml": "1"})

    made = plan(a_target(), trees, a_reading(a_read("_flows/HELLO.yaml")), known(a_row()))

    [change] = made.flows
    assert (change.act, change.revision, change.text) == (Act.MOVED, 1, None)
    assert change.old_path == HELLO


def test_another_id_in_the_same_file_removes_one_flow_and_adds_another():
    trees = a_comparison({HELLO: "1"}, {HELLO: "2"})

    made = plan(a_target(), trees, a_reading(a_read(HELLO, flow_id="other")), known(a_row()))

    assert acts(made) == {"hello": Act.REMOVED, "other": Act.ADDED}


@pytest.mark.parametrize(
    ("missing", "expected"), [("disable", Act.REMOVED), ("delete", Act.DELETED), ("keep", None)]
)
def test_a_vanished_flow_follows_the_sources_rule(missing, expected):
    trees = a_comparison({HELLO: "1"}, {})

    made = plan(a_target(missing=missing), trees, a_reading(), known(a_row()))

    assert acts(made).get("hello") is expected


@pytest.mark.parametrize("gone", [{"absent": True}, {"deleted": True}])
def test_a_flow_that_comes_back_keeps_its_revision(gone):
    trees = a_comparison({}, {HELLO: "1"})

    made = plan(a_target(), trees, a_reading(a_read(HELLO)), known(a_row(**gone)))

    [change] = made.flows
    assert (change.act, change.revision, change.text) == (Act.RETURNED, 1, None)


def test_a_flow_that_is_gone_is_not_removed_again():
    trees = a_comparison({}, {})

    made = plan(a_target(), trees, a_reading(), known(a_row(absent=True)))

    assert not made.flows


def test_a_broken_file_keeps_the_last_good_revision_and_its_neighbours_advance():
    other = "_flows/other.yaml"
    trees = a_comparison({HELLO: "1", other: "1"}, {HELLO: "2", other: "2"})
    broken = a_read(HELLO, "id: hello\ntasks: [", problems=[an_error(line=2)])
    good = a_read(other, "id: other", "other")
    rows = known(a_row(revision=3), a_row("other", other))

    made = plan(a_target(), trees, a_reading(broken, good), rows)

    assert acts(made) == {"other": Act.CHANGED}
    [refusal] = made.refused
    assert (refusal.path, refusal.keeps) == (HELLO, 3)
    assert refusal.frames[0].splitlines()[-1] == "> 2 | tasks: ["


def test_a_broken_file_that_moved_too_keeps_its_flow_by_name():
    trees = a_comparison({HELLO: "1"}, {"_flows/moved.yaml": "2"})
    broken = a_read("_flows/moved.yaml", problems=[an_error()])

    made = plan(a_target(), trees, a_reading(broken), known(a_row()))

    assert not made.flows
    assert made.refused[0].keeps == 1


def test_a_flow_outside_of_the_border_is_refused_with_its_line():
    trees = a_comparison({}, {HELLO: "1"})
    text = "id: hello\nnamespace: company.other\n"
    outside = a_read(HELLO, text, namespace="company.other")

    made = plan(a_target(), trees, a_reading(outside), {})

    [problem] = made.refused[0].problems
    assert (problem.code, problem.line) == ("border", 2)
    assert not made.flows


@pytest.mark.parametrize(
    ("namespace", "border", "expected"),
    [
        ("company.team", "company.team", True),
        ("company.team.sub", "company.team", True),
        ("company.teams", "company.team", False),
        ("company", "company.team", False),
        ("anything", None, True),
    ],
)
def test_a_border_takes_in_itself_and_what_is_below(namespace, border, expected):
    assert within(namespace, border) is expected


def test_a_flow_that_nothing_gives_a_namespace_is_refused():
    trees = a_comparison({}, {HELLO: "1"}, namespace=None)

    made = plan(a_target(namespace=None), trees, a_reading(a_read(HELLO, namespace=None)), {})

    assert made.refused[0].problems[0].code == "namespace"


def test_two_files_with_one_flow_name_both_and_the_first_is_followed():
    twin = "_flows/twin.yaml"
    trees = a_comparison({}, {HELLO: "1", twin: "1"})

    made = plan(a_target(), trees, a_reading(a_read(twin), a_read(HELLO)), {})

    assert [change.path for change in made.flows] == [HELLO]
    [refusal] = made.refused
    assert refusal.path == twin
    assert HELLO in refusal.problems[0].message


def test_the_file_that_had_the_flow_goes_before_a_new_double():
    early = "_flows/a.yaml"
    trees = a_comparison({HELLO: "1"}, {HELLO: "2", early: "2"})
    reading = a_reading(a_read(early, "id: hello # 2"), a_read(HELLO, "id: hello # 2"))

    made = plan(a_target(), trees, reading, known(a_row()))

    assert [change.path for change in made.flows] == [HELLO]
    assert [refusal.path for refusal in made.refused] == [early]


def test_an_unread_file_goes_before_a_new_double():
    double = "_flows/a.yaml"
    trees = a_comparison({HELLO: "1"}, {HELLO: "1", double: "2"})

    made = plan(a_target(), trees, a_reading(a_read(double)), known(a_row()))

    assert not made.flows
    assert [refusal.path for refusal in made.refused] == [double]


@pytest.mark.parametrize(
    ("owner", "name"), [("api", "the API"), ("git:other", "source other (_flows/hello.yaml)")]
)
def test_a_second_claimant_is_refused_and_both_are_named(owner, name):
    trees = a_comparison({}, {HELLO: "1"})
    target = a_target(owners=frozenset({"git:team", "git:other"}))

    made = plan(target, trees, a_reading(a_read(HELLO)), known(a_row(owner=owner)))

    [problem] = made.refused[0].problems
    assert problem.code == "owner"
    assert name in problem.message
    assert "source team" in problem.message
    assert not made.flows


@pytest.mark.parametrize(
    "row",
    [
        a_row(owner="git:unconfigured"),
        a_row(owner="git:other", absent=True),
        a_row(owner="api", deleted=True),
    ],
)
def test_what_its_owner_let_go_is_taken_over(row):
    trees = a_comparison({}, {HELLO: "1"})
    target = a_target(owners=frozenset({"git:team", "git:other"}))

    made = plan(target, trees, a_reading(a_read(HELLO)), known(row))

    assert acts(made) == {"hello": Act.RETURNED}
    assert not made.refused


def test_a_new_flow_that_needs_what_is_not_there_yet_is_stored_and_not_activated():
    trees = a_comparison({}, {HELLO: "1"})
    blocked = a_read(HELLO, problems=[an_error(code="not_available_yet", line=1)])

    made = plan(a_target(), trees, a_reading(blocked), {})

    [change] = made.flows
    assert (change.act, change.blocked, change.flow) == (Act.ADDED, True, None)
    assert [refusal.keeps for refusal in made.refused] == [None]


def test_a_good_flow_is_not_replaced_by_one_that_is_not_available_yet():
    trees = a_comparison({HELLO: "1"}, {HELLO: "2"})
    blocked = a_read(HELLO, "id: hello # 2", problems=[an_error(code="not_available_yet")])

    made = plan(a_target(), trees, a_reading(blocked), known(a_row()))

    assert not made.flows
    assert made.refused[0].keeps == 1


def test_a_blocked_flow_is_activated_once_it_can_be():
    trees = a_comparison({HELLO: "1"}, {HELLO: "1"})

    made = plan(a_target(), trees, a_reading(a_read(HELLO)), known(a_row(blocked=True)))

    assert acts(made) == {"hello": Act.ACTIVATED}


def test_a_broken_text_does_not_remove_a_blocked_flow():
    trees = a_comparison({HELLO: "1"}, {HELLO: "2"})
    broken = a_read(HELLO, problems=[an_error()])

    made = plan(a_target(), trees, a_reading(broken), known(a_row(blocked=True)))

    assert not made.flows
    assert made.refused[0].keeps is None


def test_a_part_of_the_paths_tells_nothing_about_the_others():
    trees = a_comparison({HELLO: "1"}, {HELLO: "2"}, is_whole=False)
    rows = known(a_row(), a_row("other", "_flows/other.yaml"))

    made = plan(a_target(), trees, a_reading(a_read(HELLO, "id: hello # 2")), rows, present=1_000)

    assert acts(made) == {"hello": Act.CHANGED}
    assert made.unchanged == 999


def test_files_are_added_changed_and_removed():
    trees = a_comparison({"_files/a": "1", "_files/b": "1"}, {"_files/b": "2", "_files/c": "1"})

    files = plan(a_target(), trees, a_reading(), {}).files

    assert [f.path for f in files.added] == ["c"]
    assert [f.path for f in files.changed] == ["b"]
    assert [f.path for f in files.removed] == ["a"]


def test_a_file_in_lfs_is_refused_and_not_in_the_manifest():
    trees = a_comparison({}, {"_files/big": "pointer", "_files/a": "1"})

    made = plan(a_target(), trees, a_reading(lfs=frozenset({blob("pointer")})), {})

    assert [f.path for f in made.files.added] == ["a"]
    assert made.refused[0].problems[0].code == "lfs"


def test_a_file_of_somebody_else_is_refused_and_both_are_named():
    trees = a_comparison({}, {"_files/a": "1"})

    made = plan(a_target(), trees, a_reading(), {}, claims={("company.team", "a"): "git:other"})

    assert not made.files.count
    message = made.refused[0].problems[0].message
    assert "source other" in message
    assert "source team" in message


def test_the_same_files_have_the_same_manifest():
    trees = a_comparison({}, {"_files/a": "1"})

    one = plan(a_target(), trees, a_reading(), {}).files.tree
    other = plan(a_target(after="c" * 40), trees, a_reading(), {}).files.tree
    refused = plan(a_target(), trees, a_reading(lfs=frozenset({blob("1")})), {}).files.tree

    assert one == other
    assert one != refused
    assert plan(a_target(files_id=""), a_comparison({}, {}), a_reading(), {}).files.tree == ""


def test_only_what_changed_or_is_unknown_or_had_problems_is_read():
    paths = {f"_flows/{name}.yaml": "1" for name in ("same", "changed", "new", "unknown", "bad")}
    old = {path: text for path, text in paths.items() if "new" not in path}
    trees = a_comparison(old, {**paths, "_flows/changed.yaml": "2"})
    own = known(*(a_row(name, f"_flows/{name}.yaml") for name in ("same", "changed", "bad")))

    read = to_read(trees, own.values(), frozenset({"_flows/bad.yaml", "_flows/gone.yaml"}))

    assert read == {f"_flows/{name}.yaml" for name in ("changed", "new", "unknown", "bad")}


def test_a_plan_can_be_printed_and_compared():
    trees = a_comparison({}, {HELLO: "1", "_flows/bad.yaml": "1", "_files/x": "1"})
    reading = a_reading(
        a_read(HELLO), a_read("_flows/bad.yaml", "id: bad", "bad", problems=[an_error(line=1)])
    )

    made = plan(a_target(), trees, reading, {})

    assert str(made).splitlines() == [
        "team: aaaaaaaaaa → bbbbbbbbbb",
        "  added     company.team/hello revision 1  _flows/hello.yaml",
        "  added     file company.team: x  _files/x",
        "  refused   _flows/bad.yaml",
        "              _flows/bad.yaml:1 wrong",
        "  0 unchanged",
    ]
    assert made == plan(a_target(), trees, reading, {})
    assert made.summary() == {"added": 1, "files": 1, "refused": 1, "unchanged": 0}
    assert made.as_json()["refused"][0]["problems"][0]["line"] == 1


_repositories = st.dictionaries(
    st.sampled_from([f"_flows/{name}.yaml" for name in "abcdef"]),
    st.tuples(st.sampled_from("xyz"), st.integers(1, 3), st.booleans()),
    max_size=6,
)


def _sync(rows, texts, old, files):
    """Sync a made-up repository: path → (flow id, version, broken); return rows, texts and plan."""
    contents = {
        path: f"id: {flow} # {version}{broken}" for path, (flow, version, broken) in files.items()
    }
    new = a_tree(contents)
    trees = Comparison(old, new)
    known_flows = {key: replace(known(row)[key], digest=texts[key]) for key, row in rows.items()}
    wanted = to_read(trees, known_flows.values(), frozenset(files))
    reading = a_reading(
        *(
            a_read(path, contents[path], flow, problems=[an_error()] if broken else [])
            for path, (flow, _, broken) in sorted(files.items())
            if path in wanted
        )
    )
    made = plan(a_target(), trees, reading, known_flows)
    for change in made.flows:
        gone = change.act is Act.REMOVED
        last = max(change.revision, change.row.last_revision if change.row else 0)
        rows[change.key] = a_row(
            change.flow_id,
            change.path,
            revision=change.revision,
            last_revision=last,
            absent=gone,
        )
        texts[change.key] = change.digest
    return new, made


@given(st.lists(_repositories, min_size=1, max_size=5))
def test_whatever_happened_before_a_second_sync_of_the_same_commit_changes_nothing(history):
    rows, texts, tree = {}, {}, EMPTY
    for files in history:
        tree, _ = _sync(rows, texts, tree, files)

    _, again = _sync(rows, texts, tree, history[-1])

    assert again.changes_nothing


@given(st.lists(_repositories, min_size=1, max_size=5))
def test_each_valid_flow_of_the_last_commit_is_present_and_no_revision_is_given_twice(history):
    rows, texts, tree = {}, {}, EMPTY
    given_out = {}
    for files in history:
        tree, made = _sync(rows, texts, tree, files)
        for change in made.flows:
            if change.text is not None:
                assert (change.key, change.revision) not in given_out
                given_out[(change.key, change.revision)] = change.digest

    valid = {flow for flow, _, broken in history[-1].values() if not broken}
    present = {row.flow_id for row in rows.values() if not row.absent}
    assert valid <= present
