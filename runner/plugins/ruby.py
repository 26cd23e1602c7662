"""Ruby scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _script

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
