"""Every type that Headrace brings is documented, tested and cheap to import."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from script import new_task, reference
from script.catalogue import type_name, types

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
HEAVY = {"numpy", "pyarrow", "polars", "duckdb", "boto3", "holidays", "psycopg", "docker", "babel"}

every_type = pytest.mark.parametrize("cls", types(), ids=type_name)


@every_type
def test_a_type_has_a_summary_and_an_example_of_itself(cls):
    summary, example = reference.docstring(cls)

    assert summary.splitlines()[0].endswith(".")
    assert f"type: {type_name(cls)}" in example


@every_type
def test_a_type_describes_its_fields(cls):
    fields = {name: field for name, field in cls.model_fields.items() if name != "type"}
    outputs = getattr(cls, "Outputs", None)
    fields |= {} if outputs is None else outputs.model_fields

    assert [name for name, field in fields.items() if not field.description] == []


@every_type
def test_a_type_names_an_extra_that_exists(cls):
    assert cls.family is None or cls.family.extra is None or cls.family.extra in EXTRAS


@every_type
def test_a_type_is_used_in_a_test(cls):
    name = type_name(cls)
    short = re.escape(name.removeprefix("io.kestra.plugin."))
    used = re.compile(rf"{short}\b|import .*\b{cls.__name__}\b|\b{cls.__name__}\(")

    assert any(used.search(text) for text in texts_of_tests())


@cache
def texts_of_tests():
    levels = ("unit", "contracts", "conformance", "scenarios", "integration", "e2e")
    paths = (path for level in levels for path in (ROOT / "tests" / level).rglob("*.*"))
    return [path.read_text() for path in paths if path.suffix in (".py", ".yaml")]


def test_importing_all_types_loads_nothing_heavy():
    program = (
        "from script.catalogue import types; types(); import sys; "
        f"print(*sorted({HEAVY!r} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert loaded.stdout.strip() == ""


@pytest.mark.parametrize("page", ["task-types.md", "settings.md", "command-line.md"])
def test_the_reference_is_fresh(page):
    text = reference.generate()[page].rstrip() + "\n"

    assert (ROOT / "docs/reference" / page).read_text() == text, "run make docs"


def test_a_new_task_begins_with_tests_that_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(new_task, "ROOT", tmp_path)

    new_task.main(["demo", "SayIt", "io.kestra.plugin.demo.SayIt"])
    new_task.main(["demo", "SayMore"])

    load(monkeypatch, "runner.plugins.demo", tmp_path / "runner/plugins/demo.py")
    tests = load(monkeypatch, "test_demo", tmp_path / "tests/unit/plugins/test_demo.py")
    tests.test_say_it_gives_the_text_back(tmp_path)
    tests.test_say_more_gives_the_text_back(tmp_path)


def load(monkeypatch, name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module
