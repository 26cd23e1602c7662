"""Sync dies in the middle; the next one goes on from what is written."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tests.integration.gitsync.conftest import ON_PUSH, a_flow

PROGRAM = textwrap.dedent(
    """
    import os, signal, sys
    from gitsync import source, sync
    from gitsync.wiring import world_of
    from runner.settings import Settings, SourceCredentials, SourceSettings
    from runner.wiring import open_runtime
    from tests.integration.gitsync.conftest import Silence

    home, url, user, place = sys.argv[1:]
    credentials = SourceCredentials(username=user, password="${GIT_PASSWORD}")
    team = SourceSettings(name="team", url=url, namespace="company.team", credentials=credentials)

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    with open_runtime(Settings(home=home), queue=Silence()) as runtime:
        world = world_of(runtime)
        if place == "transaction":
            count = iter(range(3))
            arm = world.arm
            object.__setattr__(
                world, "arm", lambda tx, flow: die() if next(count) == 2 else arm(tx, flow)
            )
        elif place == "fetched":
            source.plan = die
        elif place == "committed":
            world.firing.send = die
        sync.sync_once(world, [team])
    """
)


@pytest.mark.parametrize("place", ["fetched", "transaction", "committed"])
def test_kill_9_in_the_middle_leaves_all_or_nothing_and_the_next_sync_goes_on(
    bench, place, git_http
):
    repo = bench.repository(files={"README.md": "x"})
    bench.one()
    flows = {f"_flows/f{number}.yaml": a_flow(f"f{number}") for number in range(5)}
    repo.push({**flows, "_flows/z.yaml": a_flow("z", ON_PUSH), "_files/a": "1"})
    before, home = bench.row(), str(bench.runtime.settings.home)

    died = subprocess.run(
        [sys.executable, "-c", PROGRAM, home, repo.url, git_http.credentials.username, place],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        timeout=60,
    )

    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    if place != "committed":
        assert bench.flows() == {}
        assert bench.row() == before
    bench.one()
    bench.one()
    assert len(bench.flows()) == 6
    assert [e.flow_id for e in bench.executions()] == ["z"]
    with bench.store.read() as tx:
        assert len(tx.wakes.of_execution(bench.executions()[0].id)) == 1
        assert len(tx.sync_runs.of_source("team").items) == 2
    assert bench.files(bench.row().head) == {"a": b"1"}


def test_locks_of_a_killed_git_are_no_hindrance(bench):
    repo = bench.repository(files={"_flows/a.yaml": a_flow("a")})
    bench.one()
    mirror = bench.runtime.settings.home / "mirrors" / "team.git"
    sha = repo.push({"_flows/b.yaml": a_flow("b")})
    (mirror / "refs" / "headrace" / "commits" / f"{sha}.lock").touch()
    (mirror / "packed-refs.lock").touch()

    assert bench.one().state == "SYNCED"
