import pytest

from gitsync.reading import frame, line_of, read_flow
from gitsync.tree import FlowFile
from runner.model.parser import Parsed
from runner.model.problems import Problem
from tests.unit.gitsync.builders import a_flow

FILE = FlowFile("_flows/a.yaml", "b" * 40, "company.team")


def read(content, parse=lambda text, namespace: Parsed(None), limit=1_000):
    return read_flow(FILE, content, len(content), parse=parse, limit=limit)


def test_a_flow_comes_with_its_text_and_digest():
    made = read(
        b"id: a", lambda text, namespace: Parsed(a_flow("a", namespace), (), namespace, "a")
    )

    assert made.is_valid
    assert (made.namespace, made.flow_id, made.text) == ("company.team", "a", "id: a")
    assert len(made.digest) == 64


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"x" * 1_001, "too_large", None),
        (b"version https://git-lfs.github.com/spec/v1\noid x", "lfs", None),
        (b"id: a\nname: \xff", "encoding", 2),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content, code, line):
    [problem] = read(content).problems

    assert (problem.code, problem.line) == (code, line)


def test_a_broken_texts_name_is_told_by_its_lines():
    made = read(b"id: 'hello' # mine\nnamespace: company.other\ntasks: [")

    assert (made.namespace, made.flow_id) == ("company.other", "hello")


def test_only_what_is_not_available_yet_blocks():
    later, wrong = Problem("later", "not_available_yet"), Problem("wrong", "value")

    assert read(b"id: a", lambda *_: Parsed(None, (later,))).is_blocked
    assert not read(b"id: a", lambda *_: Parsed(None, (later, wrong))).is_blocked


def test_a_frame_marks_the_line_between_its_neighbours():
    text = "\n".join(f"line {number}" for number in range(1, 12))

    assert frame(text, 10) == "   9 | line 9\n> 10 | line 10\n  11 | line 11"
    assert frame(text, 1) == "> 1 | line 1\n  2 | line 2"
    assert frame(text, 99) is None
    assert frame(text, None) is None


def test_the_line_of_a_top_level_key():
    text = "id: a\ntasks:\n  - id: b\nnamespace: x\n"

    assert (line_of(text, "namespace"), line_of(text, "none")) == (4, None)
