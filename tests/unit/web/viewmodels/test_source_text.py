from runner.model.problems import Problem
from web.viewmodels import source_text


def test_problems_stand_below_their_line():
    lines = source_text.lines("id: a\ntasks: []", [Problem("no tasks", "rule", line=2)])

    assert [(line.css, line.notes) for line in lines] == [("", ()), ("bad", ("no tasks",))]


def test_a_stored_frame_becomes_lines_with_the_bad_one_marked():
    frame = source_text.frame("   9 | tasks:\n> 10 |   - id: a\n  11 |     x: 1")

    assert [(line.number, line.css) for line in frame] == [("9", ""), ("10", "bad"), ("11", "")]
    assert "".join(token.text for token in frame[1].tokens) == "  - id: a"


def test_nothing_of_a_line_is_lost_by_colouring():
    for text in ("  - id: x # note", 'cron: "0 2 * * *"', "a: '{{ inputs.x }} y'", "", "plain"):
        assert "".join(token.text for token in source_text.tokens(text)) == text


def test_a_difference_has_both_numbers_and_counts():
    found = source_text.diff("a\nb\nc", "a\nB\nc\nd")

    assert found.counted == "+2 −1"
    assert [(line.old, line.new, line.sign) for line in found.hunks[0]] == [
        ("1", "1", ""), ("2", "", "−"), ("", "2", "+"), ("3", "3", ""), ("", "4", "+"),
    ]  # fmt: skip
