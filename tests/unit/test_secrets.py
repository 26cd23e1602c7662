import pytest

from runner.errors import SettingsInvalid
from runner.secrets import MASKED, Mask, from_file
from tests.unit.runtimes import a_runtime

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


@pytest.mark.parametrize("text", ["hunter+/22", "hunter%2B%2F22", "aHVudGVyKy8yMg=="])
def test_usual_spellings_of_a_secret_are_masked(text):
    assert masked("hunter+/22", f"x={text};") == f"x={MASKED};"


def test_a_secret_inside_json_text_is_masked():
    assert masked('pass"word\n', 'x "pass\\"word\\n"') == f'x "{MASKED}"'


def test_a_broken_secrets_file_is_not_quoted(tmp_path):
    path = tmp_path / "secrets.yaml"
    path.write_text("A: fine\nTOKEN: hunter22: [\n")
    with pytest.raises(SettingsInvalid) as caught:
        from_file(path)
    assert "hunter22" not in str(caught.value)
    assert "line 2" in str(caught.value)
    assert caught.value.__cause__ is None


def test_every_process_masks_each_secret_from_its_start(tmp_path):
    runtime = a_runtime(tmp_path / "home", environment={"SECRET_TOKEN": "aHVudGVyMjI="})
    assert runtime.mask.apply("printed: hunter22") == f"printed: {MASKED}"
    runtime.store.close()


def test_passwords_in_addresses_are_masked(tmp_path):
    address = "redis://:p%40ssw0rd@127.0.0.1:1/0"
    runtime = a_runtime(tmp_path / "home", environment={"REDIS_URL": address})
    assert runtime.mask.apply(f"cannot reach {address}: p@ssw0rd") == (
        f"cannot reach redis://:{MASKED}@127.0.0.1:1/0: {MASKED}"
    )
    runtime.store.close()


def test_plain_data_is_masked_at_any_depth():
    mask = Mask()
    mask.add("tok-1234")
    data = {"a": ["x tok-1234", 1, None], "tok-1234": {"uri": "kestra:///n/tok-1234"}}

    assert mask.hide(data) == {
        "a": ["x ******", 1, None],
        "******": {"uri": "kestra:///n/tok-1234"},
    }


def test_a_mask_that_knows_nothing_gives_the_data_itself():
    data = {"a": [1]}

    assert Mask().hide(data) is data


def test_a_mask_including_more_leaves_the_first_as_it_was():
    mask = Mask()
    mask.add("tok-1234")

    assert mask.including(["other-5678"]).apply("tok-1234 other-5678") == "****** ******"
    assert mask.apply("tok-1234 other-5678") == "****** other-5678"
