import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.yaml import MAX_CHARACTERS, MalformedYaml, Position, read, show

DIALECT = [
    ("yes", True),
    ("Yes", True),
    ("NO", False),
    ("on", True),
    ("off", False),
    ("true", True),
    ("TRUE", True),
    ("False", False),
    ("y", "y"),
    ("N", "N"),
    ("~", None),
    ("null", None),
    ("NULL", None),
    ("", None),
    ("12", 12),
    ("+5", 5),
    ("-5", -5),
    ("12345678901234567890", 12345678901234567890),
    ("012", 10),
    ("007", 7),
    ("08", "08"),
    ("0o14", "0o14"),
    ("0x1F", 31),
    ("0b11", 3),
    ("1_000", 1000),
    ("1.5", 1.5),
    ("1.", 1.0),
    ("-.5", -0.5),
    ("1e3", 1000.0),
    ("1.0e+3", 1000.0),
    ("1:30", "1:30"),
    ("12:30:45", "12:30:45"),
    ("2024-01-01", "2024-01-01"),
    ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
    ("=", "="),
    ("!!str 5", "5"),
    ("!foo 3", 3),
    ("!!float 3", 3.0),
    ("'yes'", "yes"),
    ('"012"', "012"),
    ("|\n  yes", "yes"),
]


@pytest.mark.parametrize(("text", "value"), DIALECT)
def test_scalars_are_read_as_kestra_reads_them(text, value):
    found = read(f"a: {text}").value["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("key", ["on", "yes", "1", "1.5", "null", "~"])
def test_keys_are_texts_as_they_are_written(key):
    assert read(f"{key}: 1").value == {key: 1}


REFUSED = [
    (".inf", "number", 1, 4),
    (".nan", "number", 1, 4),
    ("&x {p: 1}", "anchors", 1, 4),
    ("*x", "aliases", 1, 4),
    ("{{ x }}", "quotes", 1, 4),
    ("@x", "quotes", 1, 4),
    ("b: c", "second ': '", 1, 5),
    ("\x07", "U+0007", 1, 4),
]


@pytest.mark.parametrize(("text", "words", "line", "column"), REFUSED)
def test_what_is_no_flow_is_refused_at_its_place(text, words, line, column):
    with pytest.raises(MalformedYaml, match=re.escape(words)) as caught:
        read(f"a: {text}")
    assert caught.value.at == Position(line, column)


def test_merge_keys_are_refused():
    with pytest.raises(MalformedYaml, match="merge keys"):
        read("a:\n  <<: {b: 1}")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n...\n"])
def test_a_document_without_content_is_empty_or_null(text):
    assert _outcome(text) in (None, "the file is empty")


def test_a_second_document_is_ignored():
    assert read("a: 1\n---\nb: [").value == {"a": 1}


def test_every_duplicate_key_is_a_problem_with_its_place():
    document = read("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert [(one.path, one.line, one.column) for one in document.problems] == [
        ("b.c", 2, 11),
        ("a", 3, 1),
    ]


def test_positions_are_those_of_keys_and_values():
    document = read("tasks:\n  - id: a\n    commands:\n      - one\n      - two\n")
    assert document.position(("tasks", 0, "commands", 1)) == Position(5, 9)
    assert document.position(("tasks", 0, "commands"), of_key=True) == Position(3, 5)


def test_what_is_missing_is_placed_at_its_parent():
    document = read("a: 1\nb:\n  c: {}\n")
    assert document.position(("b", "missing")) == Position(3, 3)


def test_depth_costs_no_stack():
    with pytest.raises(MalformedYaml, match="nest"):
        read("[" * 100_000)


def test_huge_texts_are_refused():
    with pytest.raises(MalformedYaml, match="larger"):
        read("a" * (MAX_CHARACTERS + 1))


def test_a_byte_order_mark_is_passed_over():
    assert read("\ufeffa: 1").value == {"a": 1}


def test_paths_are_shown_as_people_write_them():
    assert show(("tasks", 0, "commands", 1)) == "tasks[0].commands[1]"


@given(st.text())
def test_any_text_is_read_or_refused(text):
    _outcome(text)


def _outcome(text):
    """Return the value, or the words of the refusal."""
    try:
        return read(text).value
    except MalformedYaml as exc:
        return exc.message
