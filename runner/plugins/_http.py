"""What all HTTP task types share: their properties, and sending one request."""

from __future__ import annotations

import json
import socket
import ssl
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, BeforeValidator, Field, JsonValue, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from runner import durations
from runner.model.logs import Level
from runner.plugin import Fixed, Plugin, Read, RunContext, Task, TaskError, TaskStopped

if TYPE_CHECKING:
    import httpx2

Duration = Annotated[timedelta, BeforeValidator(durations.parse)]
Logged = Literal["REQUEST_HEADERS", "REQUEST_BODY", "RESPONSE_HEADERS", "RESPONSE_BODY"]

_CONNECT_TIMEOUT = timedelta(seconds=10)
_READ_IDLE_TIMEOUT = timedelta(minutes=5)


class _Section(BaseModel):
    model_config = Plugin.model_config


class TimeoutOptions(_Section):
    """How long to wait for the server."""

    connect_timeout: Duration | None = Field(default=None, description="until connected; 10 s")
    read_idle_timeout: Duration = Field(
        default=_READ_IDLE_TIMEOUT, description="without a byte of the answer"
    )


class ProxyOptions(_Section):
    """A proxy between worker and server."""

    type: Literal["DIRECT", "HTTP", "SOCKS"] = Field(default="DIRECT", description="DIRECT: none")
    address: str | None = Field(default=None, description="host name")
    port: int | None = Field(default=None, description="port")
    username: str | None = Field(default=None, description="user at the proxy")
    password: SecretStr | None = Field(default=None, description="password at the proxy")

    def url(self) -> str | None:
        """Return the proxy's URL; None: no proxy."""
        if self.type == "DIRECT" or not self.address:
            return None
        scheme = "http" if self.type == "HTTP" else "socks5"
        return f"{scheme}://{self.address}:{self.port or 80}"


class AuthOptions(_Section):
    """Who asks."""

    type: Annotated[Literal["BASIC", "BEARER", "DIGEST"], Read.STATIC] = Field(
        description="how to authenticate"
    )
    username: str | None = Field(default=None, description="for BASIC and DIGEST")
    password: SecretStr | None = Field(default=None, description="for BASIC and DIGEST")
    token: SecretStr | None = Field(default=None, description="for BEARER")

    @model_validator(mode="after")
    def _fits_its_type(self) -> AuthOptions:
        others = ("username", "password") if self.type == "BEARER" else ("token",)
        for name in others:
            if name in self.model_fields_set:
                message = f'Unrecognized field "{name}" of {self.type}'
                raise PydanticCustomError("foreign_property", "{message}", {"message": message})
        return self


class SslOptions(_Section):
    """How the server's certificate is checked."""

    insecure_trust_all_certificates: bool = Field(default=False, description="true: not at all")


class HttpOptions(_Section):
    """How the request is made, and which answers are failures."""

    timeout: Annotated[TimeoutOptions, Fixed()] = Field(
        default=TimeoutOptions(), description="waiting times"
    )
    proxy: Annotated[ProxyOptions, Fixed()] = Field(default=ProxyOptions(), description="a proxy")
    auth: Annotated[AuthOptions | None, Fixed()] = Field(default=None, description="credentials")
    ssl: Annotated[SslOptions, Fixed()] = Field(default=SslOptions(), description="certificates")
    follow_redirects: bool = Field(
        default=True, description="whether to go where the server points"
    )
    allow_failed: bool = Field(
        default=False, description="true: a status of 400 or more is no failure"
    )
    allowed_response_codes: list[int] | None = Field(
        default=None, description="if given, any other status is a failure"
    )
    enabled_tcp_extended_keep_alive: bool = Field(
        default=True, description="keep idle connections up"
    )
    default_charset: str = Field(default="UTF-8", description="of bodies that do not say")
    logs: Annotated[list[Logged], Read.STATIC] = Field(default=[], description="what to log")
    # Deprecated in Kestra, still written:
    connect_timeout: Duration | None = Field(default=None, description="use timeout.connectTimeout")
    read_timeout: Duration | None = Field(default=None, description="use timeout.readIdleTimeout")
    read_idle_timeout: Duration | None = Field(
        default=None, description="use timeout.readIdleTimeout"
    )
    connection_pool_idle_timeout: Duration | None = Field(
        default=None, description="without effect"
    )
    max_content_length: int | None = Field(default=None, description="without effect")
    proxy_type: Literal["DIRECT", "HTTP", "SOCKS"] | None = Field(
        default=None, description="use proxy"
    )
    proxy_address: str | None = Field(default=None, description="use proxy")
    proxy_port: int | None = Field(default=None, description="use proxy")
    proxy_username: str | None = Field(default=None, description="use proxy")
    proxy_password: SecretStr | None = Field(default=None, description="use proxy")
    basic_auth_user: str | None = Field(default=None, description="use auth")
    basic_auth_password: SecretStr | None = Field(default=None, description="use auth")
    log_level: str | None = Field(default=None, description="use logs")

    def seconds(self) -> tuple[float, float]:
        """Return the waiting times for the connection and between two reads."""
        connect = self.timeout.connect_timeout or self.connect_timeout or _CONNECT_TIMEOUT
        read = self.read_idle_timeout or self.read_timeout or self.timeout.read_idle_timeout
        return connect.total_seconds(), read.total_seconds()

    def the_proxy(self) -> ProxyOptions:
        """Return the proxy, also if it is written the old way."""
        if self.proxy_address is None:
            return self.proxy
        return ProxyOptions(
            type=self.proxy_type or "HTTP",
            address=self.proxy_address,
            port=self.proxy_port,
            username=self.proxy_username,
            password=self.proxy_password,
        )

    def the_auth(self) -> AuthOptions | None:
        """Return the credentials, also if they are written the old way."""
        if self.auth is not None or self.basic_auth_user is None:
            return self.auth
        return AuthOptions(
            type="BASIC", username=self.basic_auth_user, password=self.basic_auth_password
        )

    def accepts(self, status: int) -> bool:
        """Say whether an answer with this status is no failure."""
        if self.allowed_response_codes is not None:
            return status in self.allowed_response_codes
        return self.allow_failed or status < 400


class HttpCall(Plugin):
    """One request from properties: what tasks and triggers share."""

    deprecated = {
        "allowFailed": "write options.allowFailed",
        "sslOptions": "write options.ssl",
    }

    uri: str = Field(description="http:// or https:// URL; blanks are escaped")
    method: str = Field(default="GET", description="GET, POST, PUT …")
    params: dict[str, JsonValue] = Field(
        default={}, description="query parameters: a text, or a list of texts that repeats the name"
    )
    body: str | None = Field(default=None, description="what to send, as contentType says")
    form_data: dict[str, JsonValue] | None = Field(
        default=None,
        description="fields of a form; wins over body; kestra:// URIs are sent as files",
    )
    content_type: str | None = Field(default=None, description="default: application/json")
    headers: dict[str, JsonValue] = Field(default={}, description="further headers")
    options: Annotated[HttpOptions, Fixed()] = Field(
        default=HttpOptions(), description="how to send, what is a failure"
    )
    allow_failed: bool | None = Field(default=None, description="use options.allowFailed")
    ssl_options: Annotated[SslOptions | None, Fixed()] = Field(
        default=None, description="use options.ssl"
    )

    @contextmanager
    def answered(self, ctx: RunContext) -> Iterator[httpx2.Response]:
        """Send the request and give the answer with its body still unread.

        Raises:
            TaskError: no answer, or one whose status is a failure.
        """
        import httpx2

        with ExitStack() as stack:
            connection = _Connection()
            stack.enter_context(ctx.on_stop(connection.cut))
            try:
                client = stack.enter_context(self._client())
                request = self._request(ctx, client, stack, connection)
                self._log_request(ctx, request)
                response = client.send(request, stream=True, auth=self._auth(client))
                stack.callback(response.close)
                self._check(ctx, response)
                yield response
            except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as exc:
                if ctx.stopping:
                    raise TaskStopped from exc
                raise TaskError(f"{self.method} {self.uri} failed: {_reason(exc)}") from exc

    def fails(self, status: int) -> bool:
        """Say whether an answer with this status is a failure."""
        if self.allow_failed and self.options.allowed_response_codes is None:
            return False
        return not self.options.accepts(status)

    def _client(self) -> httpx2.Client:
        import httpx2

        connect, read = self.options.seconds()
        proxy = self.options.the_proxy()
        url = proxy.url()
        auth = (proxy.username, _secret(proxy.password)) if proxy.username else None
        try:
            return httpx2.Client(
                verify=self._verify(),
                proxy=httpx2.Proxy(url, auth=auth) if url else None,
                timeout=httpx2.Timeout(read, connect=connect),
                follow_redirects=self.options.follow_redirects,
                trust_env=False,
            )
        except ImportError as exc:
            raise TaskError("a SOCKS proxy needs: pip install socksio") from exc

    def _verify(self) -> ssl.SSLContext | bool:
        if not (self.ssl_options or self.options.ssl).insecure_trust_all_certificates:
            return ssl.create_default_context()
        return False

    def _auth(self, client: httpx2.Client) -> httpx2.Auth | None:
        import httpx2

        auth = self.options.the_auth()
        if auth is None or auth.type == "BEARER":
            return None
        if auth.type == "BASIC":
            return httpx2.BasicAuth(auth.username or "", _secret(auth.password))
        if auth.username is None or auth.password is None:
            raise TaskError("Digest authentication requires both `username` and `password`.")
        return httpx2.DigestAuth(auth.username, _secret(auth.password))

    def _request(
        self, ctx: RunContext, client: httpx2.Client, stack: ExitStack, connection: _Connection
    ) -> httpx2.Request:
        request = client.build_request(
            self.method,
            _with_params(self.uri.strip().replace(" ", "%20"), _params(self.params)),
            headers=self._headers(),
            extensions={"trace": connection.trace},
            **self._content(ctx, stack),
        )
        is_said = any(name.lower() == "content-type" for name in self.headers)
        if not self._is_multipart and not is_said:  # a boundary is known only now
            request.headers["content-type"] = self._content_type
        return request

    @property
    def _content_type(self) -> str:
        if self.form_data is not None:
            return self.content_type or "application/x-www-form-urlencoded"
        kind = self.content_type or "application/json"
        if self.body is None or "charset=" in kind.lower():
            return kind
        return f"{kind}; charset={self.options.default_charset}"

    @property
    def _is_multipart(self) -> bool:
        return self.form_data is not None and self._content_type.startswith("multipart/form-data")

    def _headers(self) -> dict[str, str]:
        headers = {name: text(value) for name, value in self.headers.items()}
        auth = self.options.the_auth()
        if auth is not None and auth.type == "BEARER":
            headers["Authorization"] = f"Bearer {_secret(auth.token)}"
        return headers

    def _content(self, ctx: RunContext, stack: ExitStack) -> dict[str, Any]:
        if self._is_multipart:
            return {
                "files": [_part(ctx, stack, *field) for field in (self.form_data or {}).items()]
            }
        if self.form_data is not None:
            return {"data": {name: text(value) for name, value in self.form_data.items()}}
        if self.body is not None:
            return {"content": self.body.encode(self.options.default_charset)}
        return {}

    def _check(self, ctx: RunContext, response: httpx2.Response) -> None:
        told = f"Request '{response.request.url}' has the response code '{response.status_code}'"
        ctx.log.write(Level.DEBUG, told)
        logs = self.options.logs
        if "RESPONSE_HEADERS" in logs:
            ctx.log.info("response headers", **dict(response.headers))
        if "RESPONSE_BODY" in logs:
            response.read()
            ctx.log.info("response body", body=response.text)
        if self.fails(response.status_code):
            response.read()
            told = f"Failed http request with response code '{response.status_code}'"
            raise TaskError(f"{told} and body:\n{response.text}" if response.content else told)

    def _log_request(self, ctx: RunContext, request: httpx2.Request) -> None:
        if "REQUEST_HEADERS" in self.options.logs:
            shown = {n: v for n, v in request.headers.items() if n != "authorization"}
            ctx.log.info("request headers", **shown)
        if "REQUEST_BODY" in self.options.logs:
            ctx.log.info("request body", body=self.body or "")


class HttpRequest(HttpCall, Task):
    """Base of the HTTP task types."""


class _Connection:
    """The sockets of one request, so that another thread can cut them while a read waits."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._is_cut = False

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of new connections (httpcore's trace extension)."""
        if event == "connection.connect_tcp.complete":
            self._sockets.append(info["return_value"].get_extra_info("socket"))
            if self._is_cut:
                self.cut()

    def cut(self) -> None:
        """End every connection; whoever reads gets an error at once."""
        self._is_cut = True
        for connected in self._sockets:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


def asked(response: httpx2.Response) -> str:
    """Return the URL that was asked, before any redirect."""
    return str([*response.history, response][0].request.url)


def headers_of(response: httpx2.Response) -> dict[str, list[str]]:
    """Return name to values: names as received, and in lower case too."""
    found: dict[str, list[str]] = {}
    for raw_name, raw_value in response.headers.raw:
        name = raw_name.decode("latin-1")
        for spelling in dict.fromkeys((name, name.lower())):
            found.setdefault(spelling, []).append(raw_value.decode("latin-1"))
    return found


def read_text(response: httpx2.Response, *, max_bytes: int, default_charset: str) -> str:
    """Return the body as text.

    Raises:
        TaskError: it is longer than *max_bytes*, or no text.
    """
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > max_bytes:
            raise TaskError(
                f"The response body is larger than {max_bytes // 2**20} MiB: "
                "use io.kestra.plugin.core.http.Download"
            )
    decoded = bytes(body).decode(response.charset_encoding or default_charset, "replace")
    if not decoded.isascii() and any(unicodedata.category(c) == "Cn" for c in decoded):
        raise TaskError("The response body is no text: use io.kestra.plugin.core.http.Download")
    return decoded


def text(value: JsonValue) -> str:
    """Return a scalar as it is written in a header or form; structures as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _params(params: Mapping[str, JsonValue]) -> dict[str, list[str]]:
    """Return name to texts."""
    found: dict[str, list[str]] = {}
    for name, value in params.items():
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, str):
                raise TaskError(f"Unsupported param type: {name} must be a text or a list of texts")
            found.setdefault(name, []).append(item)
    return found


def _with_params(uri: str, params: Mapping[str, list[str]]) -> str:
    """Return a URL with more parameters behind its own; blanks become ``%20``."""
    if not params:
        return uri
    parts = urlsplit(uri)
    more = urlencode(params, doseq=True, quote_via=quote, safe="")
    return urlunsplit(parts._replace(query=f"{parts.query}&{more}" if parts.query else more))


def _part(ctx: RunContext, stack: ExitStack, name: str, value: JsonValue) -> tuple[str, Any]:
    if isinstance(value, str) and value.startswith("kestra://"):
        return name, (value.rsplit("/", 1)[-1], stack.enter_context(ctx.files.open(value)))
    if isinstance(value, dict) and set(value) == {"name", "content"}:
        content = value["content"]
        if isinstance(content, str) and content.startswith("kestra://"):
            return name, (text(value["name"]), stack.enter_context(ctx.files.open(content)))
    return name, (None, text(value).encode())


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""


def _reason(exc: BaseException) -> str:
    return str(exc) or type(exc).__name__
