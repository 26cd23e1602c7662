import pytest

from runner.secrets import MASKED, Mask

JSON = """\
{
  "k": [
    "tok-93f2a7"
  ],
  "env": "prod", "n": {"password": "a b\\nfour horses"}
}"""
FILE = "HOST=db.example.org\nTOKEN=abcd1234efgh\nMODE=fast\n"


def masked(secret, text):
    mask = Mask()
    mask.add(secret)
    return mask.apply(text)


@pytest.mark.parametrize(
    "text",
    [
        "tok-93f2a7",
        '{"k":["tok-93f2a7"]}',
        '    "tok-93f2a7"',
        "x tok-93f2a7 y",
        "four horses",
        *JSON.splitlines()[2:3],
    ],
)
def test_what_tells_something_of_a_secret_is_masked(text):
    found = masked(JSON, text)

    assert MASKED in found
    assert "93f2a7" not in found
    assert "horses" not in found


@pytest.mark.parametrize("text", ["{vsn,1},[x]", "{", "  ]", '"k": [', "prod", "env", "password"])
def test_what_is_trivial_in_a_secret_is_not(text):
    assert masked(JSON, text) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("abcd1234efgh", MASKED),
        ("TOKEN=abcd1234efgh", MASKED),
        ("MODE=fast", MASKED),
        ("fast", "fast"),
        ("HOST", "HOST"),
    ],
)
def test_lines_and_words_of_a_file_are_masked(text, found):
    assert masked(FILE, text) == found


@pytest.mark.parametrize("text", ["s3cret word", "czNjcmV0IHdvcmQ="])
def test_a_secret_of_one_line_is_masked_as_a_whole(text):
    assert masked("s3cret word", text) == MASKED
    assert masked("s3cret word", "word") == "word"
