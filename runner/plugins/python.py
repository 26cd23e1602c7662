"""Python scripts.

Scripts may `from kestra import Kestra` to give outputs and metrics: `_kestra.py` is put beside them
unless their Python has a module of that name.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import Field

from runner.plugin import Plugin
from runner.plugins import _polling, _script
from runner.plugins._workspace import HIDDEN, Workspace

IMAGE = "python:3.13-slim"
_MODULE = (Path(__file__).parent / "_kestra.py").read_text("utf-8")
_JSON_WORDS = "true = True\nfalse = False\nnull = None\n"
_FUTURE = re.compile(r"^from __future__ import", re.MULTILINE)
_PYTHON = 'command -v python >/dev/null || python() { python3 "$@"; }'  # Debian has no `python`
_HAVE_UV = "command -v uv >/dev/null"
_LATER = frozenset({"uvInstallerSha256"})


class Packages(Plugin):
    """Which packages a script needs, and how they are had."""

    later = _LATER

    dependencies: list[str] = Field(default=[], description="packages to install, such as requests")
    package_manager: Literal["UV", "PIP"] = Field(default="UV", description="what installs them")
    python_version: str | None = Field(
        default=None, description="version that uv chooses packages for; default: the one there"
    )
    dependency_cache_enabled: bool = Field(
        default=True, description="take packages that were fetched before"
    )
    uv_auto_install_enabled: bool = Field(
        default=True, description="install the packages all the same, by pip, where uv is missing"
    )
    uv_installer_version: str | None = Field(
        default=None, description="where uv is missing, have pip install this version of it first"
    )


class Installing(Packages, _script.ScriptTask):
    """What the types share: packages are installed, and scripts can talk to the engine."""

    image = IMAGE

    @property
    def packages(self) -> list[str]:
        """Packages to install."""
        return self.dependencies

    def environment(self) -> Mapping[str, str]:
        return {
            "PYTHONUNBUFFERED": "true",
            "PIP_ROOT_USER_ACTION": "ignore",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def prelude(self, space: Workspace) -> list[str]:
        module = space.write(f"{HIDDEN}/python/kestra.py", _MODULE)
        if not self.is_shell:
            return []
        lines = [_PYTHON, _add_to_path(space.seen_as(module.parent))]
        if self.packages:
            installed = space.seen_as(space.folder / HIDDEN / f"packages-{self._set_of_packages}")
            lines += [*self._install_once(installed), *_put_on_path(installed)]
        return lines

    @property
    def _set_of_packages(self) -> str:
        """A name that is another where other packages are wanted, or another Python takes them."""
        named = self.task_runner.own_image if self.task_runner else None
        old = self.old_docker.image if self.old_docker else None
        images = [self.container_image, named, old]
        words = [*self.packages, self.package_manager, self.python_version, *images]
        return sha256(repr(words).encode()).hexdigest()[:12]

    def _install_once(self, target: str) -> list[str]:
        """Return the lines that install; tasks that share a folder find what is there."""
        ready, growing = shlex.quote(target), shlex.quote(f"{target}.new")
        return [
            f"if [ ! -d {ready} ]; then rm -rf {growing}",
            self._install(f"{target}.new"),
            f"mv {growing} {ready}; fi",
        ]

    def _install(self, target: str) -> str:
        cache = [] if self.dependency_cache_enabled else ["--no-cache-dir"]
        words = " ".join(map(shlex.quote, ["--quiet", "--target", target, *self.packages]))
        pip = " ".join(["python -m pip install", *cache, words])
        if self.package_manager == "PIP":
            return pip
        version = (
            f"--python-version {shlex.quote(self.python_version)} " if self.python_version else ""
        )
        where = '--python "$(command -v python3 || command -v python)"'
        no_cache = "" if self.dependency_cache_enabled else "--no-cache "
        uv = f"uv pip install {no_cache}{where} {version}{words}"
        if not self.uv_auto_install_enabled:
            return uv
        if self.uv_installer_version:
            return f"{_HAVE_UV} || {{ {self._install_uv(f'{target}-uv')}; }}\n{uv}"
        return f"if {_HAVE_UV}; then {uv}; else {pip}; fi"

    def _install_uv(self, target: str) -> str:
        wanted = shlex.quote(f"uv=={self.uv_installer_version}")
        folder = shlex.quote(target)
        return (
            f"python -m pip install --quiet --target {folder} {wanted}"
            f' && export PATH={folder}/bin":$PATH"'
        )


class Commands(Installing, _script.Commands):
    """Run commands where Python is at hand.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.python.Commands
          namespaceFiles: {enabled: true}
          commands:
            - python main.py --day {{ trigger.date }}
          outputFiles: ["*.csv"]
    """

    type: Literal["io.kestra.plugin.scripts.python.Commands"] = (
        "io.kestra.plugin.scripts.python.Commands"
    )


class Script(Installing, _script.Script):
    """Run a Python program.

    Example:
        - id: sum
          type: io.kestra.plugin.scripts.python.Script
          script: |
            from kestra import Kestra
            Kestra.outputs({"sum": sum({{ inputs.numbers }})})
    """

    call = "python"
    extension = ".py"
    type: Literal["io.kestra.plugin.scripts.python.Script"] = (
        "io.kestra.plugin.scripts.python.Script"
    )

    def source(self, text: str) -> str:
        """The program, able to read rendered JSON as its own words."""
        return text if _FUTURE.search(text) else _JSON_WORDS + text


class ScriptTrigger(Packages, _polling.ScriptTrigger):
    """Run a Python program again and again, and start an execution when it says so.

    Example:
        - id: ready
          type: io.kestra.plugin.scripts.python.ScriptTrigger
          interval: PT5M
          exitCondition: exit 0
          script: |
            import os, sys
            sys.exit(not os.path.exists('/tmp/ready'))
    """

    script_class = Script
    type: Literal["io.kestra.plugin.scripts.python.ScriptTrigger"] = (
        "io.kestra.plugin.scripts.python.ScriptTrigger"
    )
    exit_condition: str = Field(
        default="exit 0", description="'exit N', or a regular expression for the variables given"
    )


class CommandsTrigger(Packages, _polling.CommandsTrigger):
    """Run commands again and again, and start an execution when they say so.

    Example:
        - id: ready
          type: io.kestra.plugin.scripts.python.CommandsTrigger
          interval: PT5M
          exitCondition: exit 0
          commands:
            - python check.py
    """

    script_class = Commands
    type: Literal["io.kestra.plugin.scripts.python.CommandsTrigger"] = (
        "io.kestra.plugin.scripts.python.CommandsTrigger"
    )
    exit_condition: str = Field(
        default="exit 0", description="'exit N', or a regular expression for the variables given"
    )


def _put_on_path(folder: str) -> list[str]:
    """Return the lines of shell that make modules and programs of a folder be found first."""
    return [
        f'export PYTHONPATH={shlex.quote(folder)}"${{PYTHONPATH:+:$PYTHONPATH}}"',
        f'export PATH={shlex.quote(f"{folder}/bin")}":$PATH"',
    ]


def _add_to_path(folder: str) -> str:
    """Return the line of shell that makes Python look for modules in a folder as well."""
    return f'export PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}"{shlex.quote(folder)}'
