"""Deno scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _script

IMAGE = "denoland/deno"


class Commands(_script.Commands):
    """Run commands where Deno is at hand.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.deno.Commands
          namespaceFiles: {enabled: true}
          commands:
            - deno run main.ts
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.deno.Commands"] = (
        "io.kestra.plugin.scripts.deno.Commands"
    )


class Script(_script.Script):
    """Run a Deno program.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.deno.Script
          script: |
            console.log(`hello ${1 + 1}`)
    """

    image = IMAGE
    call = "deno run"
    extension = ".ts"
    type: Literal["io.kestra.plugin.scripts.deno.Script"] = "io.kestra.plugin.scripts.deno.Script"
