"""Node.js scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _polling, _script

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


class ScriptTrigger(_polling.ScriptTrigger):
    """Run a Node.js program again and again, and start an execution when it says so.

    Example:
        - id: ready
          type: io.kestra.plugin.scripts.node.ScriptTrigger
          interval: PT5M
          exitCondition: exit 0
          script: |
            process.exit(fs.existsSync('/tmp/ready') ? 0 : 1)
    """

    script_class = Script
    type: Literal["io.kestra.plugin.scripts.node.ScriptTrigger"] = (
        "io.kestra.plugin.scripts.node.ScriptTrigger"
    )


class CommandsTrigger(_polling.CommandsTrigger):
    """Run commands again and again, and start an execution when they say so.

    Example:
        - id: ready
          type: io.kestra.plugin.scripts.node.CommandsTrigger
          interval: PT5M
          exitCondition: exit 0
          commands:
            - node check.js
    """

    script_class = Commands
    type: Literal["io.kestra.plugin.scripts.node.CommandsTrigger"] = (
        "io.kestra.plugin.scripts.node.CommandsTrigger"
    )
