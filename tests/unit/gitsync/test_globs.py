import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.globs import any_matches, matches


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("main", "main", True),
        ("main", "maine", False),
        ("release/*", "release/1", True),
        ("release/*", "release/1/hot", False),
        ("release/**", "release/1/hot", True),
        ("**", "a/b/c", True),
        ("*", "a/b", False),
        ("**/*.py", "a.py", True),
        ("**/*.py", "src/deep/a.py", True),
        ("src/**", "src/a/b.py", True),
        ("src/**", "srca", False),
        ("src/**/test.py", "src/test.py", True),
        ("v?.0", "v1.0", True),
        ("v?.0", "v/.0", False),
        ("v[12].*", "v2.5", True),
        ("v[!12].*", "v2.5", False),
        ("v[!12].*", "v3.5", True),
        ("a.b", "axb", False),
        ("(a|b)+", "(a|b)+", True),
        ("[", "[", True),
    ],
)
def test_a_pattern_takes_in(pattern, text, expected):
    assert matches([pattern], text) is expected


@pytest.mark.parametrize(
    ("patterns", "text", "expected"),
    [
        (["**", "!docs/**"], "docs/a", False),
        (["**", "!docs/**"], "src/a", True),
        (["**", "!docs/**", "docs/api/**"], "docs/api/x", True),
        (["!docs/**"], "src/a", False),
        ([], "src/a", False),
    ],
)
def test_the_last_pattern_that_speaks_of_it_decides(patterns, text, expected):
    assert matches(patterns, text) is expected


def test_one_of_many_is_enough():
    assert any_matches(["src/**"], ["README.md", "src/a.py"])
    assert not any_matches(["src/**"], ["README.md"])


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_a_pattern(pattern, text):
    matches([pattern], text)


@given(st.text(alphabet=st.characters(exclude_characters="*?[]!"), max_size=40))
def test_a_text_without_signs_takes_in_itself_alone(text):
    assert matches([text], text)
    assert not matches([text], text + "x")


def test_a_hostile_pattern_is_a_pattern_and_no_expression():
    assert not matches(["a{1,1000000}"], "a" * 50)
    assert matches([re.escape("x")], "x")
