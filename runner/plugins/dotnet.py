"""C# scripts by dotnet-script."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runner.plugin import Read
from runner.plugins import _script

IMAGE = "mcr.microsoft.com/dotnet/sdk:10.0"
_INSTALL = [
    "command -v dotnet-script >/dev/null || dotnet tool install --global dotnet-script",
    'export PATH="$PATH:$HOME/.dotnet/tools"',
]


class _Dotnet(_script.ScriptTask):
    """What both types share."""

    image = IMAGE

    before_commands: Annotated[list[str] | str | None, Read.ASKED] = Field(
        default=_INSTALL, description="commands to run first; default: install dotnet-script"
    )


class Commands(_Dotnet, _script.Commands):
    """Run commands where .NET is at hand.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.dotnet.Commands
          namespaceFiles: {enabled: true}
          commands:
            - dotnet-script main.csx
    """

    type: Literal["io.kestra.plugin.scripts.dotnet.Commands"] = (
        "io.kestra.plugin.scripts.dotnet.Commands"
    )


class Script(_Dotnet, _script.Script):
    """Run a C# script.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.dotnet.Script
          script: |
            Console.WriteLine($"hello {1 + 1}");
    """

    call = "dotnet-script"
    extension = ".csx"
    type: Literal["io.kestra.plugin.scripts.dotnet.Script"] = (
        "io.kestra.plugin.scripts.dotnet.Script"
    )
