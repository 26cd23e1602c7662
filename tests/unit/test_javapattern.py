import pytest
import regex

from runner.javapattern import InvalidPattern, check_size, translate


@pytest.mark.parametrize(
    "pattern",
    [
        "a{99999999}",
        "a{20001,}",
        "a{" + "9" * 5000 + "}",
        "(?:a{1000}){1000}",
        "((a{100}){100}){100}?",
        "([ab]{1000}|b){1000}+",
        r"(?:[)](?:a{1000})b){1000}",
        r"(?:\)(?:a{1000})b){1000}",
        r"(?:[a[)]](?:a{1000})b){1000}",
        r"(?:\Q)\E(?:a{1000})b){1000}",
        "(?x)(?:a{1000} # )\n b){1000}",
        "(?:a{1000}){1000",
    ],
)
def test_what_would_take_all_memory_is_refused(pattern):
    with pytest.raises(InvalidPattern):
        translate(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "123e4567-e89b-12d3-a456-426614174000"),
        (r"\d{4}-\d{2}-\d{2}", "2026-01-01"),
        ("a{0,99999999}", "aaa"),
        ("[{a]{2}", "{a"),
        (r"(?x) a{3} # three", "aaa"),
        ("a{4096}", "a" * 4096),
    ],
)
def test_what_is_usual_is_taken(pattern, text):
    assert regex.compile(translate(pattern), regex.VERSION1).fullmatch(text)


def test_classes_do_not_nest_everywhere():
    check_size("[[]a{2}")
    with pytest.raises(InvalidPattern):
        check_size("(?:[[](?:a{1000})b){1000}", nested=False)
