import json

import pytest
from click.testing import CliRunner

from runner.cli import main

GOOD = """\
id: good
namespace: company.team
tasks:
  - id: hello
    type: core.log.Log
    message: Hello {{ flow.id }}
"""
BAD = GOOD.replace(
    "message: Hello {{ flow.id }}", "message: |\n      Hello\n      {{ flow.id | uper }}"
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments, **files):
        for name, text in files.items():
            path = tmp_path / f"{name}.yaml"
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return CliRunner().invoke(main, ["validate", *arguments])

    return run


def test_a_good_file_is_valid(run):
    result = run("good.yaml", good=GOOD)
    assert result.exit_code == 0
    assert result.output == "1 file checked, all valid\n"


def test_a_problem_is_shown_with_its_line(run):
    result = run("bad.yaml", bad=BAD)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "bad.yaml:8:20: error: unknown filter 'uper'; did you mean 'upper'? [expression]",
        "  7 |       Hello",
        "  8 |       {{ flow.id | uper }}",
        "    |                    ^",
        "",
        "1 file checked, 1 wrong",
    ]


def test_json_is_one_array_with_an_object_for_each_file(run):
    result = run(".", "--json", good=GOOD, bad=BAD)
    bad, good = json.loads(result.output)
    assert result.exit_code == 1
    assert (good["file"], good["valid"], good["problems"]) == ("good.yaml", True, [])
    assert bad["valid"] is False
    (problem,) = bad["problems"]
    assert (problem["line"], problem["column"]) == (8, 20)
    assert (problem["path"], problem["code"]) == ("tasks[0].message", "expression")


def test_what_is_not_available_yet_is_named(run):
    text = GOOD.replace("core.log.Log", "io.kestra.plugin.aws.s3.List")
    result = run("a.yaml", "--json", a=text)
    (file,) = json.loads(result.output)
    assert file["valid"] is False
    assert [problem["code"] for problem in file["problems"]] == ["not_available_yet"]


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe\x80", b"\x89PNG\r\n", b"[" * 50_000, b"a: " * 50_000]
)
def test_odd_files_are_refused_with_a_place(run, content):
    result = run("a.yaml", "--json", a=content)
    (file,) = json.loads(result.output)
    assert result.exit_code == 1
    assert file["problems"]
    assert all(problem["line"] and problem["column"] for problem in file["problems"])


def test_a_missing_file_is_a_problem(run):
    result = run("nowhere.yaml")
    assert result.exit_code == 1
    assert "No such file" in result.output


def test_literals_that_can_only_fail_are_wrong_here(run):
    result = run("a.yaml", a=GOOD.replace("message:", "level: loud\n    message:"))
    assert result.exit_code == 1
    assert "[value]" in result.output


def test_settings_namespace_files_and_hidden_folders_are_no_flows(run, tmp_path):
    for folder in ("_files", ".git"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "data.yaml").write_text("a: 1\n")
    result = run(".", good=GOOD, headrace="sources: []\n")
    assert result.output == "1 file checked, all valid\n"
