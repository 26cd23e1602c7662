"""Images that come from a registry which asks for a password."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from runner.plugins.runner import Docker
from runner.taskrunners.base import CannotRun, Command
from runner.taskrunners.docker import DockerRunner
from runner.testing import FakeRunContext

QUICK = (timedelta(seconds=0.05),) * 2
SETTINGS = {"docker.host": None, "docker.volumes_enabled": False}


@pytest.fixture(scope="module")
def registry(docker_client):
    from tests.services.registry import Registry

    registry = Registry()
    yield registry
    registry.stop()


@pytest.fixture
def image(registry, docker_client, request):
    """The name of an image that only the registry has."""
    name = f"{registry.host}/team/{abs(hash(request.node.nodeid))}:1"
    registry.requests.clear()
    yield name
    if docker_client.images.list(name):
        docker_client.images.remove(name, force=True)


@pytest.fixture
def play(image, tmp_path):
    """Run a command in the image, with a runner as a flow describes it; returns its lines."""

    def play(**fields):
        ctx = FakeRunContext(tmp_path, settings=SETTINGS)
        lines = []
        options = Docker(**fields).options(ctx)
        runner = DockerRunner(replace(options, pull_waits=QUICK), lines.append)
        command = Command(["sh", "-c", "echo here"], ctx.working_dir, image=image)
        ended = runner.run(command, lambda line, _: lines.append(line), lambda _: None)
        assert ended.exit_code == 0
        return lines

    return play


def given(registry, way):
    login = {"username": registry.username, "password": registry.password}
    match way:
        case "names":
            return {"credentials": login}
        case "auth":
            return {"credentials": {"auth": registry.auth}}
        case "config":
            return {"config": {"auths": {registry.host: {"auth": registry.auth}}}}
        case "text":
            return {"config": json.dumps({"auths": {f"http://{registry.host}": login}})}


@pytest.mark.parametrize("way", ["names", "auth", "config", "text"])
def test_it_is_pulled_with_the_login_that_the_flow_gives(play, registry, way):
    lines = play(**given(registry, way))

    assert lines[0].startswith("Pulling 127.0.0.1")
    assert lines[-1] == "here"


def test_without_a_login_the_message_asks_for_one(play, image):
    with pytest.raises(CannotRun, match=rf"cannot pull the image {image}: .*`credentials`"):
        play()


def test_a_login_for_another_registry_is_not_sent(play, registry):
    with pytest.raises(CannotRun, match="`credentials`"):
        play(config={"auths": {"ghcr.io": {"auth": registry.auth}}})


def test_a_server_in_trouble_is_asked_again(play, registry):
    registry.failures = 1

    lines = play(**given(registry, "names"))

    assert any("again in 0.05 s" in line for line in lines)
    assert lines[-1] == "here"


@pytest.mark.parametrize(("policy", "asks"), [("IF_NOT_PRESENT", False), ("ALWAYS", True)])
def test_an_image_that_is_here_is_asked_for_only_always(play, registry, policy, asks):
    play(**given(registry, "names"))
    registry.requests.clear()

    play(**given(registry, "names"), pull_policy=policy)

    assert bool(registry.requests) is asks
