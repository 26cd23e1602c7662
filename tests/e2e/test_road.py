"""The whole road, from outside.

A push becomes a run in containers, is seen to fail in a browser, is mended by another push, and
replayed from there without running again what had succeeded.
"""

import time

from docker import DockerClient
from playwright.sync_api import Page, expect

from tests.e2e.test_git import synced, wait_until
from tests.services.git import GitServer
from tests.services.headrace import states_of

FLOW = """
id: road
namespace: company.team
triggers:
  - id: pushed
    type: io.headrace.trigger.Commit
    branches: [main]
tasks:
  - id: checkout
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
      - id: seen
        type: io.kestra.plugin.scripts.shell.Commands
        containerImage: busybox:local
        taskRunner: &docker
          type: io.kestra.plugin.scripts.runner.docker.Docker
          pullPolicy: NEVER
          networkMode: none
        namespaceFiles: {enabled: true}
        commands: ["cat version.txt", "cat /etc/hostname"]
  - id: work
    type: io.kestra.plugin.scripts.shell.Commands
    containerImage: busybox:local
    taskRunner:
      type: io.kestra.plugin.scripts.runner.docker.Docker
      pullPolicy: NEVER
      networkMode: none
    namespaceFiles: {enabled: true}
    commands: ["for i in 1 2 3 4 5 6; do echo line $i; sleep 0.5; done", "sh check.sh"]
  - id: after
    type: io.kestra.plugin.core.log.Log
    message: "all done at {{ trigger.sha }}"
""".replace(" &docker", "")

BROKEN = "echo checking; echo 'the check has failed' >&2; exit 3\n"


def test_from_push_to_green(
    git_http: GitServer, docker_client: DockerClient, busybox_image: str, page: Page
):
    repository = git_http.create("road", files={"README.md": "nothing yet\n"})
    with synced(repository) as headrace:
        # a push of a flow with a Commit trigger
        files = {"_flows/road.yaml": FLOW, "_files/version.txt": "version 1\n"}
        first_sha = repository.push({**files, "_files/check.sh": BROKEN}, "Start the road")
        pushed_at = time.monotonic()
        execution = wait_until(lambda: next(iter(headrace.search(flowId="road")), None))
        execution_id = execution["id"]
        wait_until(lambda: _containers_of(docker_client, execution_id))
        assert time.monotonic() - pushed_at < 0.3 + 2 + 1  # poll, road, and the engine's own second
        assert execution["trigger"]["variables"]["sha"] == first_sha

        # its log streams into a browser
        page.goto(f"{headrace.url}/executions/{execution_id}/logs")
        expect(page.get_by_text("line 2").first).to_be_visible(timeout=20_000)
        assert headrace.execution(execution_id)["state"]["current"] == "RUNNING"
        expect(page.get_by_text("the check has failed").first).to_be_visible(timeout=20_000)

        # it fails, on purpose
        failed = headrace.wait_for(execution_id)
        assert states_of(failed) == {"checkout": "SUCCESS", "seen": "SUCCESS", "work": "FAILED"}
        assert "version 1" in headrace.lines(execution_id)

        # a fix is pushed, and the run replayed from there with the latest revision
        fixed = FLOW.replace("sh check.sh", "echo mended").replace("[main]", "[other]")
        second_sha = repository.push(
            {"_flows/road.yaml": fixed, "_files/version.txt": "version 2\n"}
        )
        wait_until(lambda: headrace.source("team")["head"] == second_sha)
        page.goto(f"{headrace.url}/executions/{execution_id}")
        page.locator("[data-act=replay-here]").click()
        page.wait_for_url(lambda url: execution_id not in url)
        replayed_id = page.url.rstrip("/").rsplit("/", 1)[-1]
        replayed = headrace.wait_for(replayed_id)

        assert replayed["state"]["current"] == "SUCCESS"
        assert replayed["flowRevision"] == failed["flowRevision"] + 1
        assert states_of(replayed) == {
            "checkout": "SUCCESS",
            "seen": "SUCCESS",
            "work": "SUCCESS",
            "after": "SUCCESS",
        }
        lines = headrace.lines(replayed_id)
        assert "mended" in lines
        assert not any(
            line.startswith("version") for line in lines
        )  # what succeeded did not run again
        expect(page.locator("main").get_by_text("Success").first).to_be_visible(timeout=20_000)

        # history shows both, each with its commit
        page.goto(f"{headrace.url}/executions?q=flow:road")
        rows = page.locator("main")
        expect(rows.get_by_text(first_sha[:7]).first).to_be_visible()
        expect(rows.get_by_text(second_sha[:7]).first).to_be_visible()
        expect(rows.locator(f"a[href*='{execution_id}']").first).to_be_visible()
        expect(rows.locator(f"a[href*='{replayed_id}']").first).to_be_visible()
        assert failed["headrace"]["commit"] == first_sha
        assert replayed["headrace"]["commit"] == second_sha
    assert _containers_of(docker_client, execution_id) == []


def _containers_of(client: DockerClient, execution_id: str) -> list:
    label = f"kestra.io/execution-id={execution_id}"
    return client.containers.list(all=True, ignore_removed=True, filters={"label": label})
