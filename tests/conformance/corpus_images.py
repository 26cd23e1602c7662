"""Local images for the corpus: Debian roots with an interpreter each, by the names of flows.

Made once by debootstrap and apt (as root on Debian or Ubuntu); nothing is pulled from a registry of
images. An interpreter's version is Debian's, whatever the tag says.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.corpus_flows import PROCESSES

LABEL = "io.headrace.corpus"
_SUITE = "bookworm"
_PYTHON = ("python3", "python-is-python3")


@dataclass(frozen=True)
class Root:
    """One root: what is installed into it, and the names it answers to."""

    packages: Sequence[str]
    tags: Sequence[str]
    folder: str | None = None  # of this machine, copied to the same place
    path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


ROOTS: Mapping[str, Root] = {
    "shell": Root((), ("ubuntu",)),
    "python": Root(
        _PYTHON,
        (
            *("python:3.13-slim", "python:slim", "python:latest", "python:3.9-slim"),
            *("python:3.11", "python:3.11-slim", "python:3.11-alpine", "python:3.12-slim"),
        ),
    ),
    "pandas": Root(
        (*_PYTHON, "python3-pandas", "python3-requests"), ("ghcr.io/kestra-io/pydata:latest",)
    ),
    "node": Root(("nodejs",), ("node",)),
    "php": Root(("php-cli",), ("php",)),
    "go": Root((), ("golang",), "/usr/local/go", "/usr/local/go/bin:/usr/bin:/bin"),
    "processes": Root((*_PYTHON, "git", "redis-server", "procps"), (PROCESSES,)),
}


def present() -> set[str]:
    """Return the names that are here, as a flow may write them."""
    listed = _output("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    return {*listed, *(name.removesuffix(":latest") for name in listed)}


def make(wanted: Sequence[str] = tuple(ROOTS)) -> None:
    """Make the roots that are missing. Raises CalledProcessError: a program refuses."""
    here = present()
    missing = [name for name in wanted if not set(ROOTS[name].tags) <= here]
    if not missing:
        return
    with tempfile.TemporaryDirectory(prefix="headrace-roots-") as folder:
        base = Path(folder) / "base"
        print("debootstrap …", flush=True)
        _run("debootstrap", "--variant=minbase", _SUITE, str(base))
        for name in missing:
            print(f"image {name} …", flush=True)
            root = Path(folder) / name
            _run("cp", "-a", str(base), str(root))
            _fill(root, ROOTS[name])
            _import(root, ROOTS[name])
            shutil.rmtree(root)


def _fill(root: Path, wanted: Root) -> None:
    if wanted.packages:
        install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted.packages)
        _run("chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive", *install)
    if wanted.folder:
        target = root / wanted.folder.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        _run("cp", "-a", wanted.folder, str(target))
    shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
    shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)


def _import(root: Path, wanted: Root) -> None:
    first, *others = wanted.tags
    changes = (f"ENV PATH={wanted.path}", "ENV LANG=C.UTF-8", f"LABEL {LABEL}=yes", 'CMD ["bash"]')
    options = [part for change in changes for part in ("--change", change)]
    with subprocess.Popen(
        ("tar", "-C", str(root), "-c", "--exclude=./proc/*", "--exclude=./sys/*", "."),
        stdout=subprocess.PIPE,
    ) as packing:
        subprocess.run(
            ("docker", "import", *options, "-", first),
            stdin=packing.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    for tag in others:
        _run("docker", "tag", first, tag)


def remove() -> None:
    """Remove all of them."""
    for tag in {tag for root in ROOTS.values() for tag in root.tags} & present():
        _run("docker", "image", "rm", "--force", tag)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
