"""Ruby scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _polling, _script

IMAGE = "ruby"


class Commands(_script.Commands):
    """Run commands where Ruby is at hand.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.ruby.Commands
          namespaceFiles: {enabled: true}
          commands:
            - bundle install
            - ruby main.rb
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.ruby.Commands"] = (
        "io.kestra.plugin.scripts.ruby.Commands"
    )


class Script(_script.Script):
    """Run a Ruby program.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.ruby.Script
          script: |
            puts "hello #{1 + 1}"
    """

    image = IMAGE
    call = "ruby"
    extension = ".rb"
    type: Literal["io.kestra.plugin.scripts.ruby.Script"] = "io.kestra.plugin.scripts.ruby.Script"


class ScriptTrigger(_polling.ScriptTrigger):
    """Run a Ruby program again and again, and start an execution when it says so.

    Example:
        - id: ready
          type: io.kestra.plugin.scripts.ruby.ScriptTrigger
          interval: PT5M
          exitCondition: exit 0
          script: |
            exit File.exist?('/tmp/ready')
    """

    script_class = Script
    type: Literal["io.kestra.plugin.scripts.ruby.ScriptTrigger"] = (
        "io.kestra.plugin.scripts.ruby.ScriptTrigger"
    )


class CommandsTrigger(_polling.CommandsTrigger):
    """Run commands again and again, and start an execution when they say so.

    Example:
        - id: ready
          type: io.kestra.plugin.scripts.ruby.CommandsTrigger
          interval: PT5M
          exitCondition: exit 0
          commands:
            - ruby check.rb
    """

    script_class = Commands
    type: Literal["io.kestra.plugin.scripts.ruby.CommandsTrigger"] = (
        "io.kestra.plugin.scripts.ruby.CommandsTrigger"
    )
