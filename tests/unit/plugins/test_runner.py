import base64
import json
from datetime import timedelta

import pytest
from pydantic import ValidationError

from runner.plugin import TaskError
from runner.plugins.runner import DeviceRequest, Docker, Memory
from runner.taskrunners.pulling import login
from runner.testing import FakeRunContext


@pytest.fixture
def ctx(tmp_path):
    return FakeRunContext(tmp_path)


def test_sizes_and_limits(ctx):
    docker = Docker(
        memory={"memory": "512MB", "memorySwap": "1g"}, cpu={"cpus": 0.5}, shm_size="64m"
    )

    assert docker.options(ctx).limits == {
        "mem_limit": 512 * 2**20,
        "memswap_limit": 2**30,
        "nano_cpus": 500_000_000,
        "shm_size": 64 * 2**20,
    }


def test_what_is_no_size_is_refused():
    with pytest.raises(ValidationError, match="is no size"):
        Docker(shm_size="lots")


def test_volumes_are_refused_unless_allowed(ctx, tmp_path):
    docker = Docker(volumes=["/a:/b"])

    with pytest.raises(TaskError, match="volumes_enabled"):
        docker.options(ctx)

    allowed = FakeRunContext(tmp_path, settings={"docker.volumes_enabled": True})
    assert docker.options(allowed).volumes == ["/a:/b"]


def test_credentials_go_to_the_engine_under_its_names_and_are_not_shown(ctx):
    docker = Docker(credentials={"username": "u", "password": "pw", "identityToken": "t"})

    assert docker.options(ctx).credentials == {
        "username": "u",
        "password": "pw",
        "identitytoken": "t",
    }
    assert "pw" not in repr(docker)


def test_the_rest_is_passed_on(ctx):
    docker = Docker(extra_hosts=["db:10.0.0.1"], kill_grace_period=timedelta(seconds=3), wait=False)

    options = docker.options(ctx)

    assert options.extra_hosts == {"db": "10.0.0.1"}
    assert options.kill_grace == timedelta(seconds=3)
    assert not options.wait


def test_the_engine_is_the_settings_unless_the_flow_names_one(tmp_path):
    ctx = FakeRunContext(tmp_path, settings={"docker.host": "tcp://engine:2375"})

    assert Docker().options(ctx).host == "tcp://engine:2375"
    assert Docker(host="tcp://other:2375").options(ctx).host == "tcp://other:2375"


def test_the_network_is_the_settings_unless_the_flow_names_one(tmp_path):
    ctx = FakeRunContext(tmp_path, settings={"docker.network_mode": "none"})

    assert Docker().options(ctx).network_mode == "none"
    assert Docker(network_mode="host").options(ctx).network_mode == "host"
    assert Docker().options(FakeRunContext(tmp_path)).network_mode is None


def test_devices_are_asked_for_as_the_engine_names_them(tmp_path):
    docker = Docker(device_requests=[DeviceRequest(count=-1, capabilities=[["gpu"]])])

    limits = docker.options(FakeRunContext(tmp_path)).limits

    assert limits["device_requests"] == [
        {"count": -1, "device_ids": [], "capabilities": [["gpu"]], "options": {}}
    ]


@pytest.mark.parametrize("value", [-1, "-1", " -1 "])
def test_swap_may_be_without_limit(value):
    assert Memory(memory_swap=value).memory_swap == -1


def test_another_size_below_nothing_is_refused():
    with pytest.raises(ValidationError, match="is no size"):
        Memory(memory="-1")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{no json", "no configuration of Docker"),
        ('["a"]', "no configuration of Docker"),
        ({"auths": {"h": "x"}}, "no configuration of Docker"),
        ({"auths": {"h": {"auth": "not base64!"}}}, "no base64"),
        ({"credsStore": "evil"}, "must not name programs"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(ctx, config, message):
    with pytest.raises(TaskError, match=message) as caught:
        Docker(config=config).options(ctx)

    assert "not base64!" not in caught.value.message


def test_a_configuration_gives_the_login_of_each_registry(ctx):
    auths = {
        "ghcr.io": {"auth": base64.b64encode(b"me:p4ss:word").decode()},
        "https://index.docker.io/v1/": {"identitytoken": "tok"},
    }

    options = Docker(config=json.dumps({"auths": auths, "HttpHeaders": {}})).options(ctx)

    assert login("ghcr.io/team/app:1", options.logins) == {
        "username": "me",
        "password": "p4ss:word",
    }
    assert login("busybox", options.logins) == {"identitytoken": "tok"}
    assert login("quay.io/team/app", options.logins) == {}
