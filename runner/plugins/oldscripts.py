"""Script types of Kestra before 0.11, which its users' flows still name."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from runner.plugin import Read
from runner.plugins import _script, node, python, shell
from runner.plugins._workspace import Workspace
from runner.plugins.runner import DockerFields


class OldDocker(DockerFields):
    """The old form of ``docker``."""

    pull_image: bool = Field(default=True, description="without effect: missing images are pulled")


class _Old(_script.Commands):
    """What they share."""

    deprecated: ClassVar = {
        **_script.ScriptTask.deprecated,
        "dockerOptions": "'dockerOptions' is deprecated: use 'taskRunner' and 'containerImage'",
        "exitOnFailed": "'exitOnFailed' is deprecated: use 'failFast'",
    }

    docker_options: OldDocker | None = Field(default=None, description="old form of taskRunner")
    exit_on_failed: bool = Field(default=True, description="old form of failFast")

    @property
    def strict(self) -> list[str]:
        return super().strict if self.exit_on_failed else []

    @property
    def old_docker(self) -> DockerFields | None:
        return self.docker_options or self.docker


class Bash(_Old):
    """Run shell commands (deprecated: use io.kestra.plugin.scripts.shell.Commands).

    Example:
        - id: hello
          type: io.kestra.core.tasks.scripts.Bash
          commands:
            - echo hello
    """

    image = shell.IMAGE
    type: Literal["io.kestra.core.tasks.scripts.Bash"] = "io.kestra.core.tasks.scripts.Bash"


class Python(_Old, python.Installing):
    """Run Python (deprecated: use io.kestra.plugin.scripts.python.Commands).

    Example:
        - id: hello
          type: io.kestra.core.tasks.scripts.Python
          inputFiles:
            main.py: print("hello")
    """

    type: Literal["io.kestra.core.tasks.scripts.Python"] = "io.kestra.core.tasks.scripts.Python"
    commands: Annotated[list[str] | str, Read.ASKED] = Field(
        default=["./bin/python main.py"], description="commands, run one after another in one shell"
    )
    requirements: list[str] = Field(default=[], description="packages to install")

    @property
    def packages(self) -> list[str]:
        return [*self.dependencies, *self.requirements]

    def prelude(self, space: Workspace) -> list[str]:
        """Lines that also make ``./bin/python`` and ``./bin/pip``."""
        return [
            "mkdir -p bin",
            'ln -sf "$(command -v python3 || command -v python)" bin/python',
            "printf '#!/bin/sh\\nexec python3 -m pip \"$@\"\\n' > bin/pip",
            "chmod +x bin/pip",
            *super().prelude(space),
        ]


class Node(_Old):
    """Run Node.js (deprecated: use io.kestra.plugin.scripts.node.Commands).

    Example:
        - id: hello
          type: io.kestra.core.tasks.scripts.Node
          inputFiles:
            main.js: console.log("hello")
    """

    image = node.IMAGE
    type: Literal["io.kestra.core.tasks.scripts.Node"] = "io.kestra.core.tasks.scripts.Node"
    commands: Annotated[list[str] | str, Read.ASKED] = Field(
        default=["node main.js"], description="commands, run one after another in one shell"
    )
