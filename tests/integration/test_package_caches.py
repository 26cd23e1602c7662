"""Packages that scripts install are fetched once for a namespace and image.

The index is a server of ours on loopback, the container uses the host's network. The image has no
pip: it comes as an input file, a zip that Python can run.
"""

import io
import threading
import zipfile
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pip
import pytest

from runner.model.flow import Task, TaskKind
from runner.registry import load
from runner.testing import FakeRunContext
from tests.services.ports import LOOPBACK

WHEEL = "greeting-1-py3-none-any.whl"
PIP = "kestra:///pip.zip"


class Index:
    """A package index with one package; *fetched* counts how often its file was asked for."""

    def __init__(self):
        self.fetched = 0
        self._http = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        self.url = f"http://{LOOPBACK}:{self._http.server_port}/simple"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def stop(self):
        self._http.shutdown()
        self._http.server_close()

    def _handler(index):
        pages = {
            "/simple/greeting/": (f'<a href="/files/{WHEEL}">{WHEEL}</a>'.encode(), "text/html"),
            f"/files/{WHEEL}": (_wheel(), "application/octet-stream"),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                content, kind = pages.get(self.path, (b"", ""))
                index.fetched += self.path.startswith("/files/")
                self.send_response(HTTPStatus.OK if content else HTTPStatus.NOT_FOUND)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Cache-Control", "max-age=86400, public")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format, *args):
                pass

        return Handler


def _wheel():
    content = io.BytesIO()
    about = "greeting-1.dist-info"
    with zipfile.ZipFile(content, "w") as wheel:
        wheel.writestr("greeting.py", "words = 'hello'")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    return content.getvalue()


@pytest.fixture(scope="module")
def pip_zip():
    """This Python's pip as a zip."""
    folder = Path(pip.__file__).parent
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                archive.write(path, path.relative_to(folder.parent))
    return content.getvalue()


@pytest.fixture
def index():
    index = Index()
    yield index
    index.stop()


@pytest.fixture
def run(index, python_image, pip_zip, docker_client, tmp_path):
    """Run a script that needs the package; each time as a new attempt of a task."""
    registry, caches = load(), set()

    def run(name):
        (tmp_path / name).mkdir()
        ctx = FakeRunContext(
            tmp_path / name,
            files={PIP: pip_zip},
            settings={
                "docker.package_cache": True,
                "docker.host": None,
                "docker.volumes_enabled": False,
            },
        )
        properties = {
            "containerImage": python_image,
            "taskRunner": {
                "type": "io.kestra.plugin.scripts.runner.docker.Docker",
                "pullPolicy": "NEVER",
                "networkMode": "host",
            },
            "inputFiles": {"pip.zip": PIP},
            "env": {
                "PYTHONPATH": "pip.zip",
                "PIP_INDEX_URL": index.url,
                "PIP_TRUSTED_HOST": LOOPBACK,
            },
            "dependencies": ["greeting"],
            "script": "import greeting\nfrom kestra import Kestra\n"
            "Kestra.outputs({'words': greeting.words})",
        }
        task = Task("t", "io.kestra.plugin.scripts.python.Script", TaskKind.WORKER, properties)
        built = registry.build(task, lambda value, typed: ctx.render(value, typed=typed))
        caches.add(built._cache(ctx, python_image, ["pip install"]))
        return built.run(ctx).vars

    yield run
    for volume in caches:
        docker_client.volumes.get(volume).remove()


def test_the_second_run_fetches_nothing(run, index):
    assert run("first") == {"words": "hello"}
    assert run("second") == {"words": "hello"}

    assert index.fetched == 1
