"""The repository about itself: licence, third-party code, links, changelog, layers, sizes."""

import ast
import json
import re
import statistics
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TARGETS = "up setup test unit conformance integration e2e bench lint types fix docs run new-task"
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_ANCHOR = re.compile(r'<a id="([^"]+)">')
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def tracked(*patterns):
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def anchors(page):
    """Return what GitHub calls the headings of a page, and the anchors that it names itself."""
    text = page.read_text()
    titles = {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in _HEADING.findall(text)
    }
    return titles | set(_ANCHOR.findall(text))


def test_the_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text()

    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["project"]["license"] == "Apache-2.0"


def test_no_script_is_committed_that_was_not_written_here():
    scripts = tracked("*.js", "*.mjs", "*.cjs", "*.min.*", "*.map", "*.wasm", "*.woff", "*.woff2")

    assert [path.relative_to(ROOT).as_posix() for path in scripts] == ["web/islands/build.mjs"]


def test_npm_versions_are_exact_and_the_lock_file_names_no_host():
    package = json.loads((ROOT / "web/islands/package.json").read_text())
    versions = package["dependencies"] | package["devDependencies"]

    assert {name: v for name, v in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", v)} == {}
    assert '"resolved"' not in (ROOT / "web/islands/package-lock.json").read_text()


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page):
    broken = []
    for target in _LINK.findall(_FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        path = (page.parent / name) if name else page
        if not path.exists() or (fragment and fragment not in anchors(path)):
            broken.append(target)

    assert broken == []


def test_every_page_of_the_documentation_is_reached_from_its_index():
    index = (ROOT / "docs/README.md").read_text() + (ROOT / "docs/decisions/README.md").read_text()
    linked = {Path(target).name for target in _LINK.findall(index)}

    assert [
        page.name for page in tracked("docs/*.md") if page.name not in linked | {"README.md"}
    ] == []


@pytest.mark.parametrize("page", tracked("docs/decisions/0*.md"), ids=lambda page: page.stem)
def test_a_decision_has_its_four_parts_on_one_page(page):
    text = page.read_text()

    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "Context",
        "Decision",
        "Cost",
        "Alternatives",
    ]
    assert text.startswith(f"# {page.name[:4]}. ")
    assert len(text.split()) < 500


def test_the_changelog_has_the_form_of_keep_a_changelog():
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    sections = set(re.findall(r"^### (.+)$", text, re.MULTILINE))

    assert versions[0] == "[Unreleased]"
    assert [
        v for v in versions[1:] if not re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", v)
    ] == []
    assert sections <= SECTIONS


def test_make_lists_its_targets_in_order():
    listing = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert " ".join(line.split()[0] for line in listing.stdout.splitlines()) == TARGETS


def test_each_module_of_runner_stands_on_one_layer():
    contract = next(c for c in PROJECT["tool"]["importlinter"]["contracts"] if "containers" in c)
    listed = [name.strip(" ()") for row in contract["layers"] for name in row.split("|")]
    modules = {
        path.stem for path in (ROOT / "runner").iterdir() if path.suffix == ".py" or path.is_dir()
    }

    assert len(listed) == len(set(listed))
    assert modules - {"__init__", "__pycache__"} <= set(listed)


def test_extras_stand_in_alphabetical_order_and_all_adds_them_up():
    extras = PROJECT["project"]["optional-dependencies"]
    names = [name for name in extras if name not in ("all", "dev")]

    assert list(extras) == sorted(extras)
    assert extras["all"] == [f"headrace[{','.join(names)}]"]


def test_functions_are_short():
    lengths = [
        length for package in ("runner", "gitsync", "web") for length in function_lengths(package)
    ]

    assert statistics.median(lengths) <= 10
    assert statistics.quantiles(lengths, n=20)[-1] <= 40


def function_lengths(package):
    for path in tracked(f"{package}/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield node.end_lineno - node.lineno + 1


def test_nothing_tells_where_it_was_made():
    found = subprocess.run(
        [
            "git",
            "grep",
            "-nIE",
            r"--(extra-)?index-url|registry=|/home/[a-z]+/|/tmp/bash_jobs|[^a-z./]/work/",
            "--",
            ":!tests/meta",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert found.stdout == ""
