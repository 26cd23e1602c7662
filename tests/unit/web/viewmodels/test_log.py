from datetime import UTC

from runner.model.logs import ENGINE_NUMBERS, Level
from runner.model.states import State
from tests.unit.web.viewmodels.builders import a_line, a_run
from web.viewmodels import log
from web.viewmodels.log import GroupQuery, Piece


def test_colours_of_terminals_become_families_and_other_sequences_vanish():
    text = "\x1b[2K\x1b[31mbad\x1b[0m and \x1b[1;32mgood\x1b[m"

    assert log.pieces(text) == (Piece("bad", "bad"), Piece(" and "), Piece("good", "good"))


def test_hits_are_marked_whatever_their_case():
    assert log.pieces("A refund, Refund", "refund") == (
        Piece("A "), Piece("refund", "", "hit"), Piece(", "), Piece("Refund", "", "hit"),
    )  # fmt: skip


def test_only_what_failed_is_open():
    runs = (a_run("a", 0), a_run("b", 1, State.FAILED))
    lines = [a_line("fine", run="run-a-0"), a_line("not", run="run-b-1")]

    groups = log.groups(lines, runs, GroupQuery(), "/x", UTC)

    assert [(group.name, group.open) for group in groups] == [("a", False), ("b", True)]
    assert [len(group.lines) for group in groups] == [0, 1]


def test_levels_narrow_the_lines():
    lines = [a_line("x", 0, Level.DEBUG), a_line("y", 1, Level.ERROR)]
    query = GroupQuery(levels=frozenset({"error"}))

    (group,) = log.groups(lines, (a_run("build_mart"),), query, "/x", UTC)

    assert [line.letter for line in group.lines] == ["E"]


def test_a_line_has_an_address_of_its_own():
    assert log.line(a_line("x", 4), 7).anchor == "L7-5"
    assert log.line(a_line("x", 4, attempt=2), 7).anchor == "L7.2-5"


def test_a_line_of_the_engine_has_no_number_in_the_log_of_its_attempt():
    shown = [log.line(a_line("x", number)).number for number in (0, 41, ENGINE_NUMBERS + 2, -1)]

    assert shown == ["1", "42", "", ""]
