"""The commands that look at what is stored, and `run`, as a person at a terminal meets them."""

import pytest
from click.testing import CliRunner

from runner.cli import main

FLOW = """\
id: hello
namespace: company.team
inputs:
  - {id: who, type: STRING, defaults: world}
tasks:
  - {id: say, type: core.log.Log, message: "Hello {{ inputs.who }}"}
"""


@pytest.fixture
def called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hello.yaml").write_text(FLOW)
    return lambda *arguments: CliRunner().invoke(main, arguments)


@pytest.fixture
def kept(called):
    """The same with one execution below .headrace."""
    assert called("run", "hello.yaml", "--home", ".headrace").exit_code == 0
    return called


def test_without_a_database_a_command_says_which_it_looked_for_and_makes_none(called, tmp_path):
    done = called("flow", "list")
    assert done.exit_code == 1
    assert f"{tmp_path / '.headrace/headrace.db'}" in done.stderr or ".headrace" in done.stderr
    assert "headrace up" in done.stderr
    assert "--home" in done.stderr
    assert not (tmp_path / ".headrace").exists()


@pytest.mark.parametrize("command", ["show", "run"])
def test_a_flow_that_is_not_there_is_named(kept, command):
    done = kept("flow", command, "company.team/nope")
    assert done.exit_code == 1
    assert "there is no flow company.team/nope" in done.stderr


def test_an_input_that_the_flow_does_not_have_is_told(called):
    done = called("run", "hello.yaml", "--input", "wo=Ada")
    assert done.exit_code == 0
    assert "the flow has no input 'wo': it is left out; did you mean 'who'?" in done.stderr
    assert "no input" not in called("run", "hello.yaml", "--input", "who=Ada").stderr


def test_a_state_that_does_not_exist_is_refused_with_those_that_do(kept):
    done = kept("execution", "list", "--state", "bogus")
    assert done.exit_code == 2
    assert "'failed'" in done.stderr
    assert "hello" in kept("execution", "list", "--state", "success").stdout


def test_a_failing_source_is_told_with_its_reason(called, tmp_path):
    (tmp_path / "flows.git").mkdir()
    (tmp_path / "headrace.yaml").write_text(f"sources: [{{name: t, url: {tmp_path}/flows.git}}]\n")
    assert called("sync", "--once").exit_code == 1
    listed = called("source", "list").stdout
    assert listed.startswith("SOURCE")
    assert "allow_local" in listed
    doctor = called("doctor").stdout
    assert "WRONG    source t" in doctor
    assert "allow_local" in doctor


def test_a_source_that_was_never_polled_is_no_fault(called, tmp_path):
    (tmp_path / "headrace.yaml").write_text(
        "sources: [{name: t, url: https://git.example/f.git}]\n"
    )
    assert "note     source t: https://git.example/f.git (main), not polled yet" in (
        called("doctor").stdout
    )


def test_validating_nothing_is_said(called, tmp_path):
    (tmp_path / "empty").mkdir()
    done = called("validate", "empty")
    assert done.stdout == "no .yaml or .yml file is there to check\n"
    assert called("validate", "empty", "--json").stdout == "[]\n"
