from datetime import timedelta

import pytest
from pydantic import ValidationError

from runner.plugin import TaskError
from runner.plugins.runner import DeviceRequest, Docker
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
