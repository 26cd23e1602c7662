"""Perl scripts."""

from __future__ import annotations

from typing import Literal

from runner.plugins import _script

IMAGE = "perl"


class Commands(_script.Commands):
    """Run commands where Perl is at hand.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.perl.Commands
          namespaceFiles: {enabled: true}
          commands:
            - perl main.pl
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.perl.Commands"] = (
        "io.kestra.plugin.scripts.perl.Commands"
    )


class Script(_script.Script):
    """Run a Perl program.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.perl.Script
          script: |
            print "hello ", 1 + 1, "\\n";
    """

    image = IMAGE
    call = "perl"
    extension = ".pl"
    type: Literal["io.kestra.plugin.scripts.perl.Script"] = "io.kestra.plugin.scripts.perl.Script"
