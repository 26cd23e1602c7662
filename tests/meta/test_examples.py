"""What the documentation shows can be run: every flow in it is valid."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from runner.model.parser import parse_flow
from runner.registry import load

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)


def flows():
    """Yield each flow of a page or of examples/: a name and its text."""
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in listed.stdout.split():
        for number, text in enumerate(_BLOCK.findall((ROOT / name).read_text())):
            if re.search(r"^id: ", text, re.MULTILINE) and re.search(
                r"^tasks:", text, re.MULTILINE
            ):
                yield pytest.param(text, id=f"{name}#{number}")
    for path in sorted((ROOT / "examples").rglob("_flows/**/*.yaml")):
        yield pytest.param(path.read_text(), id=path.relative_to(ROOT).as_posix())


def test_every_block_of_yaml_can_be_read():
    for page in ROOT.glob("docs/**/*.md"):
        for text in _BLOCK.findall(page.read_text()):
            yaml.safe_load(text)


def _missing_properties():
    page = (ROOT / "docs/explanation/compatibility.md").read_text()
    [line] = re.findall(r"^- Properties of a task: (.*)", page, re.MULTILINE)
    return re.findall(r"`(\w+)`", line)


@pytest.fixture(scope="module")
def registry():
    return load()


@pytest.mark.parametrize("text", list(flows()))
def test_a_flow_that_is_shown_is_valid(registry, text):
    parsed = parse_flow(text, registry, default_namespace="company.team")

    assert [(p.line, p.message) for p in parsed.problems] == []
    assert parsed.flow is not None


@pytest.mark.parametrize("name", _missing_properties())
def test_what_is_said_to_be_missing_is_missing(registry, name):
    flow = {"id": "a", "namespace": "company.team"}
    tasks = [{"id": "t", "type": "core.log.Log", "message": "hi", name: True}]
    parsed = parse_flow(yaml.safe_dump({**flow, "tasks": tasks}), registry)

    assert "not_available_yet" in [problem.code for problem in parsed.problems]
