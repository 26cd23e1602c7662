"""A Git server over smart HTTP, with passwords and push: git-http-backend behind a small bridge.

Source: `git help http-backend`; RFC 3875 for the variables of a CGI program.
"""

import base64
import os
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from tests.services.ports import LOOPBACK
from tests.services.processes import folder_for


@dataclass(frozen=True)
class Credentials:
    """Who may read and push."""

    username: str = "bot"
    password: str = "p4ss w/rd"  # has what must be escaped in a URL


@dataclass
class GitRepo:
    """A bare repository on the server, and a clone to commit from."""

    name: str
    url: str
    path: Path
    credentials: Credentials
    clone: Path
    delay_seconds: float = 0.0
    """How long each request to it takes longer than need be."""
    status: HTTPStatus | None = None
    """What it answers instead of serving, as a broken or moved one would."""
    requests: list[str] = field(default_factory=list)
    """Method and path of each request with the right password."""

    @property
    def url_with_password(self) -> str:
        parts = urlsplit(self.url)
        user, password = self.credentials.username, quote(self.credentials.password, safe="")
        return parts._replace(netloc=f"{user}:{password}@{parts.netloc}").geturl()

    def write(self, files: dict[str, str | bytes | None]) -> None:
        """Write into the clone without committing; None removes."""
        for name, content in files.items():
            path = self.clone / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: dict[str, str | bytes | None], message: str = "Change") -> str:
        """Commit *files* in the clone, without a push; return the full SHA."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(
        self,
        files: dict[str, str | bytes | None] | None = None,
        message: str = "Change",
        *,
        force: bool = False,
    ) -> str:
        """Commit *files* if given, push the clone's branch over HTTP; return the full SHA."""
        if files is not None:
            self.commit(files, message)
        self.git("push", "--quiet", *(["--force"] if force else []), "origin", "HEAD")
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        """Run git in the clone; return what it prints, stripped."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.clone,
            env=_git_environment(),
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()


class GitServer:
    """Serves the repositories that `create` makes."""

    def __init__(self) -> None:
        self.credentials = Credentials()
        self.repositories: dict[str, GitRepo] = {}
        self._folder = folder_for("git")
        self._http = _Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    @property
    def root(self) -> Path:
        return self._folder / "bare"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._http.server_port}/git"

    def create(
        self, name: str, *, branch: str = "main", files: dict[str, str | bytes | None] | None = None
    ) -> GitRepo:
        """Make a bare repository, empty or with *files* in a first commit, and a clone of it."""
        bare, clone = self.root / f"{name}.git", self._folder / "clones" / name
        subprocess.run(
            ["git", "init", "--quiet", "--bare", f"--initial-branch={branch}", bare], check=True
        )
        for key in ("http.receivepack", "uploadpack.allowAnySHA1InWant"):
            subprocess.run(["git", "-C", bare, "config", key, "true"], check=True)
        repo = GitRepo(name, f"{self.url}/{name}.git", bare, self.credentials, clone)
        self.repositories[f"{name}.git"] = repo
        subprocess.run(["git", "init", "--quiet", f"--initial-branch={branch}", clone], check=True)
        repo.git("remote", "add", "origin", repo.url_with_password)
        if files is not None:
            repo.push(files, "Begin")
        return repo

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        shutil.rmtree(self._folder)


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, git: GitServer) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.git = git


class _Handler(BaseHTTPRequestHandler):
    """One request: checks the password, then runs git-http-backend as a CGI program."""

    protocol_version = "HTTP/1.1"
    server: _Http

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: tests read `GitRepo.requests`."""

    def _serve(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        repo = self._git.repositories.get(unquote(path).removeprefix("/git/").split("/")[0])
        if repo is None:
            return self._answer(HTTPStatus.NOT_FOUND)
        time.sleep(repo.delay_seconds)
        if repo.status is not None:
            return self._answer(repo.status)
        if not self._is_allowed(repo.credentials):
            return self._answer(HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": 'Basic realm="git"'})
        repo.requests.append(f"{self.command} {self.path}")
        return self._run_backend(unquote(path).removeprefix("/git"), query, body)

    @property
    def _git(self) -> GitServer:
        return self.server.git

    def _is_allowed(self, credentials: Credentials) -> bool:
        wanted = f"{credentials.username}:{credentials.password}"
        expected = "Basic " + base64.b64encode(wanted.encode()).decode()
        return self.headers.get("Authorization") == expected

    def _run_backend(self, path: str, query: str, body: bytes) -> None:
        environment = _git_environment() | {
            "GIT_PROJECT_ROOT": str(self._git.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": self._git.credentials.username,
            "REMOTE_ADDR": self.client_address[0],
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        status = HTTPStatus(int(headers.pop("Status", "200").split()[0]))
        self._answer(status, headers, content)

    def _answer(
        self, status: HTTPStatus, headers: dict[str, str] | None = None, content: bytes = b""
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk


def _git_environment() -> dict[str, str]:
    """Return an environment in which git knows no person's settings and never asks."""
    people = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Ada Tester"), ("EMAIL", "ada@example.org"))
    }
    return people | {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
