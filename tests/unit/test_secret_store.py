import base64
import stat

import pytest
from click.testing import CliRunner

from runner.cli import main
from runner.errors import ArgumentInvalid, NotFound, Refused, SettingsInvalid
from runner.sealing import Seal
from runner.secret_store import SecretFile, StoredSecrets
from runner.secrets import ConfiguredSecrets, Mask

KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def file(tmp_path):
    return SecretFile(tmp_path / "home/secrets.sealed.yaml", Seal(KEY))


def test_a_value_is_kept_encrypted_for_its_owner_alone(file, tmp_path):
    file.set("api_key", "s3cret value")

    path = tmp_path / "home/secrets.sealed.yaml"
    assert file.read() == {"API_KEY": "s3cret value"}
    assert "s3cret" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_value_is_replaced_and_removed(file):
    file.set("A", "first")
    file.set("A", "second")
    assert file.read() == {"A": "second"}

    file.remove("a")

    assert file.names() == []
    with pytest.raises(NotFound):
        file.remove("A")


@pytest.mark.parametrize(("name", "value"), [("a b", "value"), ("A", "abc")])
def test_odd_names_and_values_too_short_to_be_masked_are_refused(name, value, file):
    with pytest.raises(ArgumentInvalid):
        file.set(name, value)


def test_without_a_key_nothing_is_kept_and_nothing_read(file, tmp_path):
    file.set("A", "value")
    keyless = SecretFile(tmp_path / "home/secrets.sealed.yaml", Seal(None))

    with pytest.raises(Refused):
        keyless.set("B", "value")
    with pytest.raises(SettingsInvalid, match="set encryption_key"):
        keyless.read()
    another = Seal(base64.b64encode(b"x" * 32).decode())
    with pytest.raises(Refused, match="another key"):
        SecretFile(tmp_path / "home/secrets.sealed.yaml", another).read()


def test_configured_secrets_win_and_changes_are_seen_and_masked(file):
    mask = Mask()
    secrets = StoredSecrets(ConfiguredSecrets({"A": "configured"}), file, mask)
    with pytest.raises(NotFound):
        secrets.get("n", "B")

    file.set("A", "stored")
    file.set("B", "later value")

    assert secrets.get("n", "A") == "configured"
    assert secrets.get("n", "b") == "later value"
    assert secrets.names() == ["A", "B"]
    assert mask.apply("x later value") == "x ******"


def test_the_command_keeps_lists_and_removes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MY_KEY", KEY)
    (tmp_path / "headrace.yaml").write_text("encryption_key: ${MY_KEY}\n")
    home = ["--home", str(tmp_path / "h")]

    def run(*arguments, **more):
        return CliRunner().invoke(main, ["secret", *arguments, *home], **more)

    assert run("set", "api_key", input="s3cret\n").output == "kept API_KEY\n"
    assert run("list").output == "API_KEY\n"
    assert run("remove", "API_KEY").exit_code == 0
    assert run("remove", "API_KEY").exit_code == 1
