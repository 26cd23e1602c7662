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


@pytest.mark.parametrize(
    "url",
    [
        "https://bob:hunter22@git.example.org/x.git",
        "https://hunter22@git.example.org/x.git",
        "HTTP://:hunter22@git.example.org/x.git",
        "ssh://git:hunter22@git.example.org/x.git",
    ],
)
def test_secrets_in_the_address_of_a_source_are_refused(tmp_path, url):
    path = tmp_path / "headrace.yaml"
    path.write_text(f"sources: [{{name: team, url: '{url}'}}]\n")
    with pytest.raises(SettingsInvalid, match=r"sources\.0\.url: an address holds no") as caught:
        load(path)
    assert "hunter22" not in caught.value.message


@pytest.mark.parametrize(
    "url", ["ssh://git@git.example.org/x.git", "git@git.example.org:x.git", "/srv/x@y.git"]
)
def test_addresses_with_the_user_of_ssh_are_fine(tmp_path, url):
    path = tmp_path / "headrace.yaml"
    path.write_text(f"sources: [{{name: team, url: '{url}'}}]\n")
    assert load(path).sources[0].url == url


@pytest.mark.parametrize(
    "wrong", ["branch: --upload-pack=x", "branch: 'a b'", "path: ../up", "path: /etc"]
)
def test_branches_and_paths_that_lead_elsewhere_are_refused(tmp_path, wrong):
    path = tmp_path / "headrace.yaml"
    path.write_text(f"sources: [{{name: team, url: 'https://git.example.org/x.git', {wrong}}}]\n")
    with pytest.raises(SettingsInvalid, match=r"sources\.0\."):
        load(path)


def test_a_setting_that_does_not_exist_is_named(tmp_path):
    path = tmp_path / "headrace.yaml"
    path.write_text("sources: [{name: a, url: 'https://git.example.org/f.git', brnch: m}]\n")
    with pytest.raises(SettingsInvalid, match=r"sources\.0\.brnch: there is no such setting"):
        load(path)


def test_a_permission_that_does_not_exist_is_named_with_the_nearest(tmp_path):
    path = tmp_path / "headrace.yaml"
    token = 'token: "${CI_TOKEN}"'
    path.write_text(
        f"web: {{tokens: [{{name: ci, {token}, permissions: [execution:read, 'flows:*', '*']}}]}}\n"
    )

    with pytest.raises(SettingsInvalid) as caught:
        load(path)

    assert "no permission 'execution:read'; did you mean 'executions:read'?" in caught.value.message
    assert "no permission 'flows:*'" in caught.value.message
    assert caught.value.message.count("permissions") == 2
