"""Lua scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _script

IMAGE = "nickblah/lua"


class Commands(_script.Commands):
    """Run commands where Lua is at hand.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.lua.Commands
          namespaceFiles: {enabled: true}
          commands:
            - lua main.lua
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.lua.Commands"] = "io.kestra.plugin.scripts.lua.Commands"


class Script(_script.Script):
    """Run a Lua program.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.lua.Script
          script: |
            print("hello", 1 + 1)
    """

    image = IMAGE
    call = "lua"
    extension = ".lua"
    type: Literal["io.kestra.plugin.scripts.lua.Script"] = "io.kestra.plugin.scripts.lua.Script"
