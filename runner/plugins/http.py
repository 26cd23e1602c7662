"""HTTP requests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from email.message import Message
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, JsonValue

from runner.model.logs import Level
from runner.model.scalars import is_true
from runner.plugin import PollingTrigger, Read, RunContext, TaskError
from runner.plugins import _items
from runner.plugins._http import HttpCall, HttpRequest, asked, headers_of, read_text, text

if TYPE_CHECKING:
    import httpx2

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
    type: Literal["io.kestra.plugin.core.http.Request"] = "io.kestra.plugin.core.http.Request"
    encrypt_body: bool = Field(default=False, description="keep the answer's text encrypted")

    class Outputs(HttpRequest.Outputs):
        uri: str = Field(description="the URL that was asked")
        code: int = Field(description="the answer's status")
        headers: dict[str, list[str]] = Field(
            description="name to values, as received and in lower case"
        )
        body: str | None = Field(default=None, description="the answer's text, if there is one")
        encrypted_body: dict[str, str] | None = Field(
            default=None, description="with encryptBody: the text, which expressions can read"
        )

    def run(self, ctx: RunContext) -> Outputs:
        with self.answered(ctx) as response:
            given = answer_of(response, self.options.default_charset)
        return hidden(ctx, given) if self.encrypt_body else given


class Download(HttpRequest):
    """Send one HTTP request and keep the answer as a file.

    Example:
        - id: orders
          type: io.kestra.plugin.core.http.Download
          uri: https://example.org/orders.csv
    """

    aliases = ("io.kestra.plugin.fs.http.Download",)

    type: Literal["io.kestra.plugin.core.http.Download"] = "io.kestra.plugin.core.http.Download"
    fail_on_empty_response: bool = Field(default=True, description="fail if nothing comes")
    save_as: str | None = Field(
        default=None, description="name of the file; default: the server's, or of the URL's kind"
    )

    class Outputs(HttpRequest.Outputs):
        uri: str = Field(description="the stored file")
        code: int = Field(description="the answer's status")
        length: int = Field(description="bytes")
        headers: dict[str, list[str]] = Field(
            description="name to values, as received and in lower case"
        )

    def run(self, ctx: RunContext) -> Outputs:
        with self.answered(ctx) as response, _items.spool() as target:
            length = sum(target.write(chunk) for chunk in response.iter_bytes())
            self._check_length(ctx, response, length)
            ctx.metric("response.length", "counter", length)
            return self.Outputs(
                uri=_items.stored(ctx, target, self._name(response)),
                code=response.status_code,
                length=length,
                headers=headers_of(response),
            )

    def _check_length(self, ctx: RunContext, response: httpx2.Response, length: int) -> None:
        told = response.headers.get("content-length")
        if told and "content-encoding" not in response.headers and int(told) != length:
            raise TaskError(f"Invalid size, got {length}, expected {told}")
        if length:
            return
        if self.fail_on_empty_response and not (self.allow_failed or self.options.allow_failed):
            raise TaskError("No response from server")
        ctx.log.write(Level.WARN, "No response from server")

    def _name(self, response: httpx2.Response) -> str:
        name = self.save_as or _told_name(response.headers.get("content-disposition", ""))
        if not name:
            name = "download" + (PurePosixPath(response.request.url.path).suffix or ".tmp")
        return "/".join(part for part in _cleaned(name).split("/") if part.strip("."))


class SseRequest(HttpRequest):
    """Send one HTTP request and keep the events of the stream that answers it.

    Example:
        - id: answer
          type: io.kestra.plugin.core.http.SseRequest
          uri: https://example.org/chat
          method: POST
          body: '{"question": "Why?"}'
          concatJqExpression: .choices[0].delta.content
    """

    type: Literal["io.kestra.plugin.core.http.SseRequest"] = "io.kestra.plugin.core.http.SseRequest"
    concat_jq_expression: str | None = Field(
        default=None, description="jq expression for each event; the texts are joined"
    )
    failed_on_missing_jq: bool = Field(
        default=True, description="fail where the expression gives nothing"
    )

    class Outputs(HttpRequest.Outputs):
        uri: str = Field(description="the URL that was asked")
        size: int = Field(description="number of events")
        events: list[dict[str, JsonValue]] | None = Field(
            default=None, description="the events, without concatJqExpression"
        )
        result: str | None = Field(default=None, description="the joined texts")

    def run(self, ctx: RunContext) -> Outputs:
        with self.answered(ctx) as response:
            events = list(events_of(response.iter_lines()))
        ctx.metric("size", "counter", len(events))
        result = self._joined(ctx, events)
        return self.Outputs(
            uri=asked(response),
            size=len(events),
            events=None if result else events,
            result=result,
        )

    def _joined(self, ctx: RunContext, events: list[dict[str, JsonValue]]) -> str | None:
        if self.concat_jq_expression is None:
            return None
        extra = {"jq_expression": self.concat_jq_expression}
        texts = []
        for event in events:
            found = ctx.render(
                "{{ event | jq(jq_expression) }}", typed=True, extra={**extra, "event": event}
            )
            first = next((each for each in found or () if each is not None), None)
            if first is None and self.failed_on_missing_jq:
                raise TaskError(f"{self.concat_jq_expression} gives nothing for {text(event)}")
            texts.append("" if first is None else text(first))
        return "".join(texts)


class Trigger(HttpCall, PollingTrigger):
    """Send a request again and again, and start an execution when its answer is the right one.

    Example:
        - id: ready
          type: io.kestra.plugin.core.http.Trigger
          uri: https://example.org/export/state
          responseCondition: "{{ response.body contains 'READY' }}"
          interval: PT5M
    """

    aliases = ("io.kestra.plugin.fs.http.Trigger",)
    type: Literal["io.kestra.plugin.core.http.Trigger"] = "io.kestra.plugin.core.http.Trigger"
    encrypt_body: bool = Field(default=False, description="keep the answer's text encrypted")
    response_condition: Annotated[str, Read.ASKED] = Field(
        default="{{ response.statusCode < 400 }}",
        description="sees response.statusCode, response.body and response.headers",
    )

    def fails(self, status: int) -> bool:
        """No status is a failure: the condition judges it."""
        return False

    def evaluate(self, ctx: RunContext) -> Request.Outputs | None:
        with self.answered(ctx) as response:
            given = answer_of(response, self.options.default_charset)
        seen = {"statusCode": given.code, "body": given.body, "headers": given.headers}
        text = str(ctx.render(self.response_condition, extra={"response": seen}))
        if not is_true(text):
            return None
        return hidden(ctx, given) if self.encrypt_body else given


def answer_of(response: httpx2.Response, charset: str) -> Request.Outputs:
    """Return an answer as outputs. Raises TaskError: it is too long, or no text."""
    body = read_text(response, max_bytes=_MAX_BODY_BYTES, default_charset=charset)
    return Request.Outputs(
        uri=asked(response),
        code=response.status_code,
        headers=headers_of(response),
        body=body,
    )


def hidden(ctx: RunContext, given: Request.Outputs) -> Request.Outputs:
    """Return an answer with its text encrypted."""
    sealed = dict(ctx.sealed(given.body or ""))
    return given.model_copy(update={"body": None, "encrypted_body": sealed})


def events_of(lines: Iterable[str]) -> Iterator[dict[str, JsonValue]]:
    """Yield the events of a stream that have data (WHATWG HTML, server-sent events); data that is
    JSON is read.
    """
    event: dict[str, JsonValue] = {}
    data: list[str] = []
    for line in [*lines, ""]:
        if not line:
            if data:
                yield {**event, "data": _json_or_text("\n".join(data))}
            event, data = {}, []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "retry" and value.isdecimal() and len(value) < 10:
            event["retry"] = int(value) / 1000  # seconds
        elif (key := _EVENT_FIELDS.get(name)) is not None:
            event[key] = value


_EVENT_FIELDS = {"id": "id", "event": "name", "": "comment"}


def _json_or_text(value: str) -> JsonValue:
    try:
        parsed: JsonValue = json.loads(value)
    except ValueError:
        return value
    return parsed


def _told_name(disposition: str) -> str:
    """Return the file name of a Content-Disposition header (RFC 6266), or an empty text."""
    message = Message()
    message["content-disposition"] = disposition
    return PurePosixPath(message.get_filename("") or "").name


def _cleaned(name: str) -> str:
    return "".join(char for char in name if char.isprintable() and char != "\\")
