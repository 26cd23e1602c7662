"""Shell scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from runner.plugin import RunContext
from runner.plugins import _polling, _script
from runner.plugins._workspace import Workspace

IMAGE = "ubuntu"


class Commands(_script.Commands):
    """Run shell commands.

    Example:
        - id: build
          type: io.kestra.plugin.scripts.shell.Commands
          commands:
            - echo "built at $(date)" > report.txt
          outputFiles: [report.txt]
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.shell.Commands"] = (
        "io.kestra.plugin.scripts.shell.Commands"
    )


class Script(_script.Script):
    """Run a shell script.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.shell.Script
          script: |
            echo "Hello $NAME"
            echo '::{"outputs": {"greeted": true}}::'
          env:
            NAME: "{{ inputs.name }}"
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.shell.Script"] = "io.kestra.plugin.scripts.shell.Script"

    def program(self, ctx: RunContext, space: Workspace, extra: Mapping[str, Any]) -> list[str]:
        """The text itself: no file is needed."""
        return [space.localize(str(ctx.render(self.script, extra=extra)))]


class ScriptTrigger(_polling.ScriptTrigger):
    """Run a Shell program again and again, and start an execution when it says so.

    Example:
        - id: ready
          type: io.kestra.plugin.scripts.shell.ScriptTrigger
          interval: PT5M
          exitCondition: exit 0
          script: |
            test -e /tmp/ready
    """

    script_class = Script
    type: Literal["io.kestra.plugin.scripts.shell.ScriptTrigger"] = (
        "io.kestra.plugin.scripts.shell.ScriptTrigger"
    )


class CommandsTrigger(_polling.CommandsTrigger):
    """Run commands again and again, and start an execution when they say so.

    Example:
        - id: ready
          type: io.kestra.plugin.scripts.shell.CommandsTrigger
          interval: PT5M
          exitCondition: exit 0
          commands:
            - test -e /tmp/ready
    """

    script_class = Commands
    type: Literal["io.kestra.plugin.scripts.shell.CommandsTrigger"] = (
        "io.kestra.plugin.scripts.shell.CommandsTrigger"
    )
