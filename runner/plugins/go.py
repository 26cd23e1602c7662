"""Go scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _polling, _script
from runner.plugins._workspace import HIDDEN

IMAGE = "golang"


class Commands(_script.Commands):
    """Run commands where Go is at hand.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.go.Commands
          namespaceFiles: {enabled: true}
          commands:
            - go run .
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.go.Commands"] = "io.kestra.plugin.scripts.go.Commands"


class Script(_script.Script):
    """Run a Go program.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.go.Script
          script: |
            package main

            func main() {
                println("hello", 1+1)
            }
    """

    image = IMAGE
    call = "go run"
    extension = ".go"
    file_name = f"{HIDDEN}/script"  # Go takes no files whose names begin with a dot
    type: Literal["io.kestra.plugin.scripts.go.Script"] = "io.kestra.plugin.scripts.go.Script"


class ScriptTrigger(_polling.ScriptTrigger):
    """Run a Go program again and again, and start an execution when it says so.

    Example:
        - id: ready
          type: io.kestra.plugin.scripts.go.ScriptTrigger
          interval: PT5M
          exitCondition: exit 0
          script: |
            package main

            import "os"

            func main() {
                if _, err := os.Stat("/tmp/ready"); err != nil {
                    os.Exit(1)
                }
            }
    """

    script_class = Script
    type: Literal["io.kestra.plugin.scripts.go.ScriptTrigger"] = (
        "io.kestra.plugin.scripts.go.ScriptTrigger"
    )


class CommandsTrigger(_polling.CommandsTrigger):
    """Run commands again and again, and start an execution when they say so.

    Example:
        - id: ready
          type: io.kestra.plugin.scripts.go.CommandsTrigger
          interval: PT5M
          exitCondition: exit 0
          commands:
            - go run check.go
    """

    script_class = Commands
    type: Literal["io.kestra.plugin.scripts.go.CommandsTrigger"] = (
        "io.kestra.plugin.scripts.go.CommandsTrigger"
    )
