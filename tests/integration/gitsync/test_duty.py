"""One process of many polls; push events hasten it; settings are read again."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from gitsync.sync import DUTY
from gitsync.wiring import world_of
from tests.integration.gitsync.conftest import ON_PUSH, a_flow
from tests.integration.gitsync.test_trouble import Running, wait_until

HELLO = "_flows/hello.yaml"


def holder(bench):
    with bench.store.read() as tx:
        return tx.duties.holder(DUTY)


def test_one_of_two_has_the_duty_and_the_other_takes_over(bench):
    repo = bench.repository(files={HELLO: a_flow("hello", ON_PUSH)})
    other = world_of(bench.runtime)

    with Running(bench, "second", other):
        wait_until(lambda: holder(bench) == "second")
        with Running(bench, "first"):
            repo.push({"x": "1"})
            wait_until(lambda: (row := bench.row()) and row.synced_at is not None)
            assert holder(bench) == "second"
    with Running(bench, "third", world_of(bench.runtime)):
        wait_until(lambda: holder(bench) == "third")


def test_a_push_event_is_followed_at_once(bench):
    repo = bench.repository(files={HELLO: a_flow("hello")}, poll=timedelta(minutes=5))

    with Running(bench):
        wait_until(lambda: (row := bench.row()) and row.state == "SYNCED")
        repo.push({HELLO: a_flow("hello", "description: new\n")})
        begun = time.monotonic()
        with bench.store.begin() as tx:
            tx.sources.hurry("team", bench.runtime.clock.now())
        wait_until(lambda: bench.flows()["hello"].revision == 2)

    assert time.monotonic() - begun < 3


def test_settings_are_read_again_when_asked(bench):
    bench.repository("first", files={HELLO: a_flow("hello")})

    with Running(bench) as duty:
        wait_until(lambda: (row := bench.row("first")) and row.state == "SYNCED")
        bench.sources.clear()
        bench.repository("second", files={HELLO: a_flow("hello")})
        duty.reload()
        wait_until(lambda: (row := bench.row("second")) and row.state == "SYNCED")

    assert bench.row("first") is None
    assert bench.flows("git:second")["hello"].is_active


def test_syncs_at_once_start_everything_once(bench):
    repo = bench.repository(files={HELLO: a_flow("hello", ON_PUSH)})
    bench.one()
    worlds = [world_of(bench.runtime) for _ in range(4)]
    for number in range(3):
        repo.push({HELLO: a_flow("hello", ON_PUSH + f"# {number}\n")})
        with ThreadPoolExecutor(len(worlds)) as pool:
            outcomes = list(pool.map(lambda world: _sync(bench, world), worlds))
        assert {outcome.state for outcome in outcomes} == {"SYNCED"}

    assert [e.revision for e in bench.executions()] == [2, 3, 4]
    with bench.store.read() as tx:
        assert len(tx.sync_runs.of_source("team").items) == 4


def _sync(bench, world):
    from gitsync.sync import sync_once

    [outcome] = sync_once(world, bench.sources)
    return outcome


def test_a_fault_of_ours_is_quarantined_and_the_others_go_on(bench):
    bench.repository("broken", files={HELLO: a_flow("hello")})
    bench.repository("well", files={"_flows/other.yaml": a_flow("other")})
    arm = bench.world.arm

    def faulty(tx, flow):
        if flow.id == "hello":
            raise RuntimeError("a bug")
        arm(tx, flow)

    object.__setattr__(bench.world, "arm", faulty)
    outcomes = bench.sync()

    assert outcomes["well"].state == "SYNCED"
    assert "a bug" in outcomes["broken"].error
    with bench.store.read() as tx:
        found = tx.quarantine.find("source:broken")
    assert "RuntimeError: a bug" in found.traceback
    assert bench.flows("git:broken") == {}

    object.__setattr__(bench.world, "arm", arm)
    assert bench.sync()["broken"].state == "SYNCED"
    with bench.store.read() as tx:
        assert tx.quarantine.find("source:broken") is None
