"""Fixtures for real neighbours: each starts a server of its own, or fails where it cannot.

README.md in this folder says what each one gives. The modules are imported when a fixture is asked
for, so that units need none of them.
"""

import pytest

BUSYBOX = "busybox:local"
PYTHON = "python:local"


@pytest.fixture(scope="session")
def postgres_server():
    from tests.services.postgres import PostgresServer

    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres_server):
    return postgres_server.url


@pytest.fixture
def postgres_database(postgres_server):
    return postgres_server.new_database()


@pytest.fixture(scope="session")
def redis_server():
    from tests.services.redis import RedisServer

    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_url(redis_server):
    return redis_server.url


@pytest.fixture(scope="session")
def git_http():
    from tests.services.git import GitServer

    server = GitServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def git_ssh():
    from tests.services.ssh import SshServer

    server = SshServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def docker_client():
    import docker

    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as exc:
        pytest.fail(f"no Docker engine answers, run tests/services/setup.sh: {exc}")
    yield client
    client.close()


@pytest.fixture(scope="session")
def busybox_image(docker_client):
    return _present(docker_client, BUSYBOX)


@pytest.fixture(scope="session")
def python_image(docker_client):
    return _present(docker_client, PYTHON)


@pytest.fixture(scope="session")
def playwright():
    """One for all browsers of a test process: a second one is refused."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright):
    from tests.services.browser import launch

    browser = launch(playwright)
    yield browser
    browser.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


def _present(client, name):
    import docker

    try:
        client.images.get(name)
    except docker.errors.ImageNotFound:
        pytest.fail(f"the image {name} is missing, run tests/services/setup.sh")
    return name
