"""The GitHub Action validates a folder of flows: its steps as GitHub would do them."""

from pathlib import Path

import pytest

from tests.services.github import Runner

ROOT = Path(__file__).parents[2]
GOOD = """\
id: good
namespace: company.team
tasks:
  - id: say
    type: io.kestra.plugin.core.log.Log
    message: hi
"""
BAD = """\
id: bad
namespace: company.team
tasks:
  - id: say
    type: io.example.Nope
"""


@pytest.fixture
def github(tmp_path):
    for name in ("work", "temp"):
        (tmp_path / name).mkdir()
    return Runner(ROOT, tmp_path / "work", tmp_path / "temp")


def write(github, **files):
    for name, text in files.items():
        path = github.workspace / name.replace("__", "/")
        path = path.with_name(f"{path.name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.timeout(300)
def test_without_a_server_a_wrong_flow_fails_the_step_at_its_line(github):
    write(github, flows__good=GOOD, flows__sub__bad=BAD, other__bad=BAD)

    outcome = github.run(directory="flows")

    assert not outcome.succeeded, outcome.log
    [annotation] = outcome.annotations
    assert annotation["file"] == "flows/sub/bad.yaml"
    assert annotation["line"] == "5"
    assert "io.example.Nope" in annotation["message"]
    assert outcome.outputs["failed"] == "1"


@pytest.mark.timeout(300)
def test_without_a_server_good_flows_pass(github):
    passed_over = {"_files__data": BAD, ".github__workflow": BAD, "headrace": "sources: []\n"}
    write(github, flows__good=GOOD, **passed_over)

    outcome = github.run()

    assert outcome.succeeded, outcome.log
    assert outcome.outputs["failed"] == "0"
    assert "1 flow files, 0 with problems" in outcome.summary


def test_with_a_server_the_server_judges_each_file(github, httpserver):
    write(github, bad=BAD, good=GOOD)
    result = {"index": 0, "namespace": "company.team", "flow": "bad", "outdated": False}
    finding = {"constraints": "tasks: must not be empty\ntasks[0].type: Invalid type"}
    path = "/api/v1/main/flows/validate"
    httpserver.expect_request(path, data=BAD).respond_with_json([result | finding])
    httpserver.expect_request(path, data=GOOD).respond_with_json([result])

    outcome = github.run(server=httpserver.url_for("").rstrip("/"))

    assert not outcome.succeeded
    assert "bad.yaml: tasks: must not be empty\n" in outcome.log
    assert [a["file"] for a in outcome.annotations] == ["bad.yaml", "bad.yaml"]


@pytest.mark.parametrize("directory", ["nowhere", "empty"])
def test_a_folder_without_flows_fails_the_step(github, directory, httpserver):
    (github.workspace / "empty").mkdir()

    outcome = github.run(directory=directory, server=httpserver.url_for(""))

    assert not outcome.succeeded
    assert outcome.annotations[0]["message"].startswith("directory: ")
