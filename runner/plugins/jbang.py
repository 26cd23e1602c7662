"""Java, Kotlin and Groovy programs by JBang."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runner.plugins import _script

IMAGE = "jbangdev/jbang-action"


class Commands(_script.Commands):
    """Run commands where JBang is at hand.

    Example:
        - id: report
          type: io.kestra.plugin.scripts.jbang.Commands
          namespaceFiles: {enabled: true}
          commands:
            - jbang main.java
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.jbang.Commands"] = (
        "io.kestra.plugin.scripts.jbang.Commands"
    )
    quiet: bool = Field(default=True, description="of no effect: the commands say it themselves")


class Script(_script.Script):
    """Run a program by JBang.

    Example:
        - id: hello
          type: io.kestra.plugin.scripts.jbang.Script
          script: |
            class hello {
                public static void main(String... args) {
                    System.out.println("hello " + (1 + 1));
                }
            }
    """

    image = IMAGE
    type: Literal["io.kestra.plugin.scripts.jbang.Script"] = "io.kestra.plugin.scripts.jbang.Script"
    quiet: bool = Field(default=True, description="show nothing but what the program writes")
    file_extension: str = Field(
        default=".java", alias="extension", description="language of the program: .java, .kt …"
    )

    @property
    def caller(self) -> str:
        return "jbang --quiet" if self.quiet else "jbang"

    @property
    def suffix(self) -> str:
        return self.file_extension
