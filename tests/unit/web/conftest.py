import pytest

from runner.settings import Settings
from tests.unit.runtimes import a_runtime
from web.app import create_app
from web.context import KEY


@pytest.fixture
def runtime(tmp_path):
    runtime = a_runtime(tmp_path / "home")
    yield runtime
    runtime.store.close()


@pytest.fixture
def app(runtime):
    return create_app(runtime, pages=False)


@pytest.fixture
def whole_app(runtime):
    return create_app(runtime)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def services(app):
    return app.extensions[KEY].services


@pytest.fixture
def protected(tmp_path, monkeypatch):
    """An application with a user, two tokens and a Git source that takes push events."""
    monkeypatch.setenv("WEB_PASSWORD", "Headrace1")
    monkeypatch.setenv("TOKEN_ALL", "hr_test_token")
    monkeypatch.setenv("TOKEN_READ", "hr_read_token")
    web = Settings.model_validate(
        {
            "web": {
                "username": "dev@headrace.local",
                "password": "${WEB_PASSWORD}",
                "tokens": [
                    {"name": "ci", "token": "${TOKEN_ALL}"},
                    {
                        "name": "viewer",
                        "token": "${TOKEN_READ}",
                        "permissions": ["executions:read"],
                    },
                ],
            }
        }
    ).web
    runtime = a_runtime(tmp_path / "protected", web=web)
    yield create_app(runtime, pages=False)
    runtime.store.close()
