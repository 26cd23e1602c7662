import pytest
from click.testing import CliRunner

from runner.cli import main

OLD = """\
id: old # mine
namespace: company.team
tasks:
  - id: hello
    type: io.kestra.core.tasks.log.Log
    message: hi
"""
NEW = OLD.replace("io.kestra.core.tasks.log.Log", "io.kestra.plugin.core.log.Log")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments, **files):
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_bytes(text.encode())
        return CliRunner().invoke(main, ["fmt", *arguments])

    return run


def test_changes_are_shown_and_nothing_is_written(run, tmp_path):
    result = run(".", old=OLD, new=NEW)

    assert result.exit_code == 1
    assert "-    type: io.kestra.core.tasks.log.Log" in result.output
    assert "+    type: io.kestra.plugin.core.log.Log" in result.output
    assert "2 checked, 1 to rewrite (--fix)" in result.output
    assert (tmp_path / "old.yaml").read_text() == OLD


def test_files_are_rewritten_with_their_comments_and_line_ends(run, tmp_path):
    result = run("--fix", "old.yaml", old=OLD.replace("\n", "\r\n"))

    assert result.exit_code == 0
    assert "old.yaml:5: io.kestra.core.tasks.log.Log is now io.kestra.plugin" in result.output
    assert (tmp_path / "old.yaml").read_bytes().decode() == NEW.replace("\n", "\r\n")


def test_a_file_that_cannot_be_read_is_left_and_told(run):
    result = run("--fix", "bad.yaml", bad="a: [")

    assert result.exit_code == 1
    assert "left as it is" in result.output
