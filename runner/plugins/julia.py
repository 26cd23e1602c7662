"""Julia scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _script

IMAGE = "julia"


class Commands(_script.Commands):
    """Run commands where Julia is at hand.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.julia.Commands
          namespaceFiles: {enabled: true}
          commands:
            - julia main.jl
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.julia.Commands"] = (
        "io.kestra.plugin.scripts.julia.Commands"
    )


class Script(_script.Script):
    """Run a Julia program.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.julia.Script
          script: |
            println("hello ", 1 + 1)
    """

    image = IMAGE
    call = "julia"
    extension = ".jl"
    type: Literal["io.kestra.plugin.scripts.julia.Script"] = "io.kestra.plugin.scripts.julia.Script"
