import pytest

from runner.attempt.environment import setting, visible_environment, worker_environment
from runner.errors import NotFound
from tests.unit.runtimes import a_runtime


@pytest.fixture
def runtime(tmp_path):
    source = {
        "name": "team",
        "url": "https://git.example.org/x.git",
        "credentials": {"username": "bot", "password": "${GIT_PASSWORD}"},
    }
    runtime = a_runtime(tmp_path / "home", sources=[source], redis_url="redis://here")
    yield runtime
    runtime.store.close()


def test_a_task_sees_no_secret_and_no_address_of_ours(runtime):
    environment = {
        "PATH": "/bin",
        "SECRET_X": "a",
        "HEADRACE_HOME": "b",
        "REDIS_URL": "c",
        "DATABASE_URL": "d",
        "GIT_PASSWORD": "e",
        "MY_QUEUE": "redis://here",
    }
    assert visible_environment(runtime, environment) == {"PATH": "/bin"}


def test_a_plugin_sees_the_source_of_its_execution(runtime):
    assert setting(runtime, "team", "git.source").url == "https://git.example.org/x.git"
    assert setting(runtime, None, "git.source") is None


def test_other_settings_are_not_for_tasks(runtime):
    with pytest.raises(NotFound):
        setting(runtime, None, "web.password")


def test_the_environment_is_looked_through_once(runtime, monkeypatch):
    monkeypatch.setenv("SEEN", "at first")
    first = worker_environment(runtime)
    monkeypatch.setenv("SEEN", "later")
    assert worker_environment(runtime) is first
    assert first["SEEN"] == "at first"
