"""Bun scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _script

IMAGE = "oven/bun"


class Commands(_script.Commands):
    """Run commands where Bun is at hand.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.bun.Commands
          namespaceFiles: {enabled: true}
          commands:
            - bun install
            - bun run main.ts
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.bun.Commands"] = "io.kestra.plugin.scripts.bun.Commands"


class Script(_script.Script):
    """Run a Bun program.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.bun.Script
          script: |
            console.log(`hello ${1 + 1}`)
    """

    image = IMAGE
    call = "bun run"
    extension = ".ts"
    type: Literal["io.kestra.plugin.scripts.bun.Script"] = "io.kestra.plugin.scripts.bun.Script"
