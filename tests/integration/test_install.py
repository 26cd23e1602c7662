"""What `pip install` makes of the repository, on a machine without Node."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_SHIPPED = ("tests/", "script/", "action/", "docs/", "web/islands/", "examples/")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clone") / "headrace"
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    return folder


@pytest.fixture(scope="module")
def wheel(clone, tmp_path_factory, without_node):
    folder = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, clone]
    subprocess.run(argv, check=True, env=without_node, capture_output=True)
    [path] = folder.glob("headrace-*.whl")
    return path


@pytest.fixture(scope="module")
def without_node(tmp_path_factory):
    """An environment on whose PATH there is the system's Git and nothing of Node."""
    folder = tmp_path_factory.mktemp("bin")
    for name in ("git", "sh", "env"):
        (folder / name).symlink_to(shutil.which(name))
    return os.environ | {"PATH": str(folder)}


@pytest.mark.timeout(300)
def test_the_wheel_holds_the_built_dashboard_and_the_licences_of_what_is_in_it(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        licences = archive.read("web/static/built/LICENCES.txt").decode()

    assert "web/static/built/app.js" in names
    assert "htmx.org\n" in licences


def test_the_wheel_is_for_every_platform_and_holds_only_the_program(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert wheel.name.endswith("-py3-none-any.whl")
    assert [name for name in names if name.startswith(NOT_SHIPPED)] == []


def test_the_wheel_holds_every_file_of_the_packages(wheel, clone):
    listed = subprocess.run(
        ["git", "ls-files", "runner", "gitsync", "web", ":!web/islands"],
        cwd=clone,
        check=True,
        capture_output=True,
        text=True,
    )
    with zipfile.ZipFile(wheel) as archive:
        missing = set(listed.stdout.split()) - set(archive.namelist())

    assert missing == set()


def test_the_base_install_has_no_numpy():
    needed, names = set(), ["headrace"]
    while names:
        name = names.pop()
        if name not in needed and is_installed(name):
            needed.add(name)
            names += requirements(name)

    assert "sqlalchemy" in needed
    assert "numpy" not in needed


def is_installed(name):
    return any(importlib.metadata.distributions(name=name))


def requirements(name):
    lines = importlib.metadata.requires(name) or []
    return [re.match(r"[\w.-]+", line)[0].lower() for line in lines if "extra ==" not in line]
