"""Node.js scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _script

IMAGE = "node"


class Commands(_script.Commands):
    """Run commands where Node.js is at hand.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.node.Commands
          namespaceFiles: {enabled: true}
          commands:
            - npm ci
            - node main.js
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.node.Commands"] = (
        "io.kestra.plugin.scripts.node.Commands"
    )


class Script(_script.Script):
    """Run a Node.js program.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.node.Script
          script: |
            console.log(`hello ${1 + 1}`)
    """

    image = IMAGE
    call = "node"
    extension = ".js"
    type: Literal["io.kestra.plugin.scripts.node.Script"] = "io.kestra.plugin.scripts.node.Script"
