import pytest

from runner.errors import SettingsInvalid
from runner.settings import load


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"web: {password: hunter22: [\n", "line 1, column 25"),
        (b"\xff\xfe\xaa", "is not UTF-8"),
        (b"- 1\n", "must be a map"),
        (b"web: {password: hunter22}\n", "web.password: a secret is given by reference"),
    ],
)
def test_a_broken_settings_file_is_told_but_not_quoted(tmp_path, content, told):
    path = tmp_path / "headrace.yaml"
    path.write_bytes(content)
    with pytest.raises(SettingsInvalid) as caught:
        load(path)
    assert told in caught.value.message
    assert "hunter22" not in caught.value.message
    assert str(path) in caught.value.message
