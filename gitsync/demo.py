"""The demo repository of `headrace up`: a bare repository below the home, with a few telling flows.

It is an ordinary repository: clone it, change a flow, push, and see the run.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from tempfile import TemporaryDirectory

from gitsync.access import Access
from gitsync.repo import GitRunner
from runner.settings import Settings, SourceSettings

NAME = "demo"
NAMESPACE = "demo"
FOLDER = "demo.git"


def demo_source(home: Path) -> SourceSettings:
    """Return the settings of the demo's source; make its repository if there is none yet."""
    path = home.absolute() / FOLDER
    if not (path / "HEAD").exists():
        create(path)
    return SourceSettings(
        name=NAME,
        url=str(path),
        namespace=NAMESPACE,
        poll=timedelta(seconds=2),
        allow_local=True,
    )


def sources_of(settings: Settings) -> tuple[SourceSettings, ...]:
    """Return the configured sources; where there are none, the demo's if this home has one."""
    has_demo = (settings.home / FOLDER / "HEAD").exists()
    return settings.sources or ((demo_source(settings.home),) if has_demo else ())


def create(path: Path) -> None:
    """Make a bare repository at *path* with the demo's files in one commit."""
    runner = GitRunner()
    try:
        with TemporaryDirectory(prefix="headrace-demo-") as folder:
            _write(files("gitsync") / "demo_files", Path(folder))
            _commit(runner, Path(folder))
            path.parent.mkdir(parents=True, exist_ok=True)
            _publish(runner, Path(folder), path)
    finally:
        runner.close()


def _write(source: Traversable, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for item in source.iterdir():
        if item.is_dir():
            _write(item, target / item.name)
        else:
            (target / item.name).write_bytes(item.read_bytes())


def _commit(runner: GitRunner, folder: Path) -> None:
    person = ["-c", "user.name=Headrace", "-c", "user.email=demo@headrace.example"]
    runner.run(["init", "--quiet", "--template=", "--initial-branch=main"], cwd=folder)
    runner.run(["add", "--all"], cwd=folder)
    message = "Begin with a few telling flows"
    runner.run([*person, "commit", "--quiet", "--message", message], cwd=folder)


def _publish(runner: GitRunner, folder: Path, path: Path) -> None:
    access = Access(str(folder), allow_local=True)
    arguments = ["clone", "--quiet", "--bare", "--template=", "--end-of-options"]
    whole = folder / ".bare"
    runner.run([*arguments, str(folder), str(whole)], cwd=folder, access=access)
    runner.run(["remote", "remove", "origin"], cwd=whole)
    shutil.move(whole, path)
