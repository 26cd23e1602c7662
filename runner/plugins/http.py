"""HTTP requests."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runner.plugin import RunContext
from runner.plugins._http import HttpRequest, headers_of, read_text

_MAX_BODY_BYTES = 19 * 2**20


class Request(HttpRequest):
    """Send one HTTP request and keep the answer's text.

    Example:
        - id: release
          type: io.kestra.plugin.core.http.Request
          uri: https://api.example.org/releases/latest
          headers:
            Accept: application/json
    """

    aliases = ("io.kestra.plugin.fs.http.Request",)
    later: ClassVar = frozenset({"encryptBody"})

    type: Literal["io.kestra.plugin.core.http.Request"] = "io.kestra.plugin.core.http.Request"

    class Outputs(HttpRequest.Outputs):
        uri: str = Field(description="the URL that was asked")
        code: int = Field(description="the answer's status")
        headers: dict[str, list[str]] = Field(
            description="name to values, as received and in lower case"
        )
        body: str | None = Field(default=None, description="the answer's text")

    def run(self, ctx: RunContext) -> Outputs:
        with self.answered(ctx) as response:
            body = read_text(
                response, max_bytes=_MAX_BODY_BYTES, default_charset=self.options.default_charset
            )
            return self.Outputs(
                uri=str(response.request.url),
                code=response.status_code,
                headers=headers_of(response),
                body=body,
            )
