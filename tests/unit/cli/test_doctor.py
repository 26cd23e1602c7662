import pytest

from runner.cli.doctor import _git_of


@pytest.mark.parametrize("version", ["2.31.0", "2.47.3", "3.0.1", "2.39.5 (Apple Git-154)"])
def test_a_git_that_takes_settings_from_its_environment_is_fine(version):
    assert _git_of(version).ok is True


@pytest.mark.parametrize("version", ["2.30.2", "1.8.3.1", ""])
def test_an_older_git_is_named_with_what_is_needed(version):
    finding = _git_of(version)

    assert finding.ok is False
    assert finding.fix == "install git 2.31 or newer"
