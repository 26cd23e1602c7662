"""An image registry with a password, which serves one small image under every name.

Source: the OCI distribution specification (endpoints), the image manifest's schema 2.
"""

import base64
import gzip
import hashlib
import io
import json
import platform
import tarfile
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.services.images import add_busybox
from tests.services.ports import LOOPBACK

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Registry:
    """Answers `username` with `password`; with *failures* left, it answers 503 instead."""

    def __init__(self, username: str = "bot", password: str = "s3cret-word") -> None:
        self.username, self.password = username, password
        self.failures = 0
        self.requests: list[str] = []
        """Method and path of each request with the right password."""
        layer = _layer()
        config = _config(layer)
        blobs = (config, gzip.compress(layer, 1))
        self.manifest = _manifest(*blobs)
        self.blobs = {_digest(blob): blob for blob in (*blobs, self.manifest)}
        self._http = ThreadingHTTPServer((LOOPBACK, 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        return f"{LOOPBACK}:{self._http.server_port}"

    @property
    def auth(self) -> str:
        """User and password as configurations hold them."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if registry.failures:
                registry.failures -= 1
                return self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"", "text/plain")
            if self.headers.get("Authorization") != f"Basic {registry.auth}":
                return self._answer(HTTPStatus.UNAUTHORIZED, b"{}", "application/json")
            registry.requests.append(f"{self.command} {self.path}")
            kind, _, reference = self.path.rpartition("/")
            if self.path == "/v2/":
                return self._answer(HTTPStatus.OK, b"{}", "application/json")
            if kind.endswith("/manifests"):
                return self._answer(HTTPStatus.OK, registry.manifest, _MANIFEST)
            return self._answer(
                HTTPStatus.OK, registry.blobs[reference], "application/octet-stream"
            )

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: tests read `Registry.requests`."""

        def _answer(self, status: HTTPStatus, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("WWW-Authenticate", 'Basic realm="registry"')
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Docker-Content-Digest", _digest(content))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

    return Handler


def _layer() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as image:
        add_busybox(image)
    return target.getvalue()


def _config(layer: bytes) -> bytes:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    rootfs = {"type": "layers", "diff_ids": [_digest(layer)]}
    return json.dumps(
        {"architecture": machine, "os": "linux", "config": {}, "rootfs": rootfs}
    ).encode()


def _manifest(config: bytes, layer: bytes) -> bytes:
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _entry(_CONFIG, config),
            "layers": [_entry(_LAYER, layer)],
        }
    ).encode()


def _entry(kind: str, blob: bytes) -> dict[str, str | int]:
    return {"mediaType": kind, "size": len(blob), "digest": _digest(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"
