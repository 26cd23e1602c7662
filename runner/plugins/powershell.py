"""PowerShell scripts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runner.plugin import RunContext
from runner.plugins import _script
from runner.plugins._workspace import HIDDEN, Workspace

IMAGE = "ghcr.io/kestra-io/powershell:latest"


class _PowerShell(_script.ScriptTask):
    """What both types share."""

    image = IMAGE

    interpreter: list[str] = Field(
        default=["pwsh", "-NoProfile", "-NonInteractive", "-Command"],
        description="program that gets the commands as one argument",
    )

    @property
    def strict(self) -> list[str]:
        return ["$ErrorActionPreference = 'Stop'"]

    def sourcing(self, ctx: RunContext, space: Workspace, text: str) -> str | None:
        file = space.write(f"{HIDDEN}/commands.ps1", text)
        return f". {_quoted(space.seen_as(file))}"


class Commands(_PowerShell, _script.Commands):
    """Run PowerShell commands.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.powershell.Commands
          commands:
            - Get-Date | Out-File report.txt
          outputFiles: [report.txt]
    """

    type: Literal["io.kestra.plugin.scripts.powershell.Commands"] = (
        "io.kestra.plugin.scripts.powershell.Commands"
    )


class Script(_PowerShell, _script.Script):
    """Run a PowerShell script.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.powershell.Script
          script: |
            Write-Output "hello $(1 + 1)"
    """

    extension = ".ps1"
    type: Literal["io.kestra.plugin.scripts.powershell.Script"] = (
        "io.kestra.plugin.scripts.powershell.Script"
    )

    def called(self, path: str) -> str:
        """The file itself is the command; ``&`` runs one whose name is quoted."""
        return f"& {_quoted(path)}"


def _quoted(path: str) -> str:
    return "'" + path.replace("'", "''") + "'"
