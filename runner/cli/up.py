"""``headrace up``: everything on one machine, under one supervisor.

It preloads the program, freezes what is loaded, and forks sync, web and the workers, so that they
share their memory. A child that dies is started again, later and later; one that dies three times
before Headrace was ready ends it, with its last words.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import signal
import socket
import sys
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, Any

import click

from runner.cli.options import config_option, home_option, reports_errors, settings_of
from runner.errors import HeadraceError, Refused, Unavailable
from runner.settings import Settings, SourceSettings, resolve

PROCESSES = "headrace.processes"
"""Entry points ``name = "module:serve"``: ``serve(settings, config, listener)`` works until
SIGTERM.

*listener* is the socket of the web server: opened once, so that it outlives a web process."""

DEMO = "headrace.demo"
"""Entry point ``demo_source(home)``: makes a demo repository and returns its source."""

Serve = Callable[[Settings, "Path | None", socket.socket], None]

_DEMO_FLOWS = ("hello", "pipeline", "script")
_MAX_DEATHS = 3
_LONGEST_WAIT = 10.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_STOP_SECONDS = 8.0
_READY_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1


@click.command()
@home_option
@config_option
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the dashboard and API  [default: 8080]"
)
@click.option("--host", help="Address to listen on  [default: 127.0.0.1]")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Worker processes  [default: one a core]"
)
@click.option(
    "--no-demo", is_flag=True, help="Make no demo repository when no source is configured."
)
@click.option("--verbose", is_flag=True, help="Show the log of all processes here.")
@reports_errors
def up(
    home: Path | None,
    config: Path | None,
    port: int | None,
    host: str | None,
    workers: int | None,
    no_demo: bool,
    verbose: bool,
) -> None:
    """Start everything on this machine.

    SQLite and an own Redis below --home, unless HEADRACE_DATABASE_URL and REDIS_URL say otherwise.
    Ctrl-C stops all of it.

    \b
    Examples:
      headrace up
      headrace up --home /srv/headrace --port 8081 --config headrace.yaml
    """
    settings = settings_of(home, config, web__port=port, web__host=host, worker__count=workers)
    Supervisor(settings, config, demo=not no_demo, verbose=verbose).run()


@dataclass
class Child:
    """One forked process, and how often it has died."""

    name: str
    serve: Callable[[], None]
    pid: int | None = None
    deaths: int = 0
    not_before: float = 0.0
    started_at: float = field(default_factory=time.monotonic)


class Supervisor:
    """Starts, watches and ends the children, in one thread: forks and death signals are safe."""

    def __init__(
        self, settings: Settings, config: Path | None, *, demo: bool, verbose: bool
    ) -> None:
        self._settings = settings
        self._config = config
        self._demo = demo and not settings.sources
        self._verbose = verbose
        self._stopping = False
        self._is_ready = False
        self._children: list[Child] = []
        self._redis: Any = None
        self._lock: IO[str] | None = None
        self._listener: socket.socket | None = None
        self._log = settings.home / "headrace.log"

    # ── life ─────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Start everything and keep it running until SIGTERM or Ctrl-C.

        Raises:
            HeadraceError: it cannot start, with the reason.
        """
        self._settings.home.mkdir(parents=True, exist_ok=True)
        self._take_home()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        first_time = self._prepare()
        try:
            self._start_all()
            self._await_ready()
            if first_time and not self._stopping:
                self._run_demo()
            self._say_ready()
            self._watch()
        finally:
            self._end_all()
        click.echo("Headrace has stopped.")

    def _take_home(self) -> None:
        self._lock = (self._settings.home / "up.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise Refused(f"another `headrace up` works in {self._settings.home}") from exc

    def _stop(self, _: int, __: object) -> None:
        self._stopping = True

    def _reload(self, _: int, __: object) -> None:
        for child in self._children:
            if child.name == "sync" and child.pid:
                os.kill(child.pid, signal.SIGHUP)

    def _prepare(self) -> bool:
        """Bring database, demo and Redis up; True if this home is new and has the demo."""
        from runner import wiring
        from runner.store import is_current, migrate

        is_new = not (self._settings.home / "headrace.db").exists()
        url = wiring.database_url(self._settings)
        if not is_current(url):
            _apart(lambda: migrate(url))
        self._check_exposure()
        self._listen()
        if self._demo:
            self._settings = self._settings.model_copy(
                update={"sources": (_demo_source(self._settings.home),)}
            )
        self._say_runner()
        self._start_redis()
        return is_new and self._demo

    def _check_exposure(self) -> None:
        web = self._settings.web
        for reference in (web.password, web.session_secret, *(each.token for each in web.tokens)):
            if reference:
                resolve(reference)  # what is not set is told here, not by a web process that ends
        if not _is_loopback(web.host) and not (web.password or web.tokens):
            raise Refused(
                f"Headrace does not listen on {web.host} without credentials: set web.username "
                "and web.password, or web.tokens, or listen on 127.0.0.1"
            )

    def _listen(self) -> None:
        web = self._settings.web
        family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
        try:
            self._listener = socket.create_server((web.host, web.port), family=family, backlog=2048)
            self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as exc:
            raise Unavailable(
                f"port {web.port} of {web.host} cannot be listened on ({exc.strerror}): "
                "stop what uses it, or choose another with --port"
            ) from exc
        port = self._listener.getsockname()[1]
        self._settings = self._settings.model_copy(
            update={"web": web.model_copy(update={"port": port})}
        )

    def _say_runner(self) -> None:
        from runner import wiring

        runner = wiring.default_task_runner(self._settings)
        names = {
            "docker": "containers (Docker answers)",
            "process": "processes (no Docker engine answers)",
        }
        if self._settings.task_runner.default != "auto":
            names = {"docker": "containers (as set)", "process": "processes (as set)"}
        click.echo(f"Scripts that name no task runner run in {names[runner]}.")
        task_runner = self._settings.task_runner.model_copy(update={"default": runner})
        self._settings = self._settings.model_copy(update={"task_runner": task_runner})

    def _start_redis(self) -> None:
        from runner.queue.server import OwnRedis

        if self._settings.redis_url or os.environ.get("REDIS_URL"):
            return
        self._redis = OwnRedis(self._settings.home)
        self._redis.start()

    # ── children ─────────────────────────────────────────────────────────────────────────────────

    def _start_all(self) -> None:
        from runner.cli.worker import serve as serve_worker

        serves: dict[str, Serve] = {
            point.name: point.load() for point in entry_points(group=PROCESSES)
        }
        _preload(self._settings)
        count = self._settings.worker.count or os.cpu_count() or 1
        for name in ("sync", "web"):
            if name not in serves:
                raise Unavailable(f"the process '{name}' is not installed: pip install headrace")
            self._children.append(Child(name, self._bound(serves[name])))
        for number in range(count):
            self._children.append(
                Child(f"worker-{number + 1}", lambda: serve_worker(self._settings))
            )
        gc.collect()
        gc.freeze()
        for child in self._children:
            if not self._stopping:
                self._fork(child)

    def _bound(self, serve: Serve) -> Callable[[], None]:
        listener = self._listener
        assert listener is not None
        return lambda: serve(self._settings, self._config, listener)

    def _fork(self, child: Child) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        child.started_at = time.monotonic()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # none may meet our handlers in a child
        child.pid = os.fork()
        if child.pid == 0:
            self._be(child, parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _be(self, child: Child, parent: int) -> None:
        """Be the child, from the fork to the exit."""
        status = 1
        try:
            os.setpgid(0, 0)  # Ctrl-C reaches the supervisor alone
            _die_with(parent)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            if not self._verbose:
                self._write_to_log()
            child.serve()
            status = 0
        except SystemExit as exc:
            status = exc.code if isinstance(exc.code, int) else 1
        except HeadraceError as exc:
            print(f"headrace {child.name}: {exc.message}", file=sys.stderr)  # noqa: T201
        except BaseException:  # noqa: BLE001 - the child ends here, whatever it is
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _write_to_log(self) -> None:
        target = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(target, 1)
        os.dup2(target, 2)
        os.close(target)

    def _look_after(self) -> None:
        """Note deaths, and start again what is due."""
        now = time.monotonic()
        for child in self._children:
            if child.pid is not None and (ended := _ended(child.pid)) is not None:
                self._died(child, ended, now)
            elif child.pid is None and now >= child.not_before:
                self._fork(child)
        if self._redis is not None and not self._redis.is_alive():
            click.echo("Redis ended; it is started again.", err=True)
            self._redis.start()

    def _died(self, child: Child, status: int, now: float) -> None:
        child.pid = None
        if now - child.started_at > 60:
            child.deaths = 0
        child.deaths += 1
        how = f"signal {-status}" if status < 0 else f"exit code {status}"
        if not self._is_ready and child.deaths >= _MAX_DEATHS:
            raise Unavailable(
                f"{child.name} ended {child.deaths} times ({how}):\n{self._last_words()}"
            )
        wait = min(_LONGEST_WAIT, 0.1 * 2 ** (child.deaths - 1))
        child.not_before = now + wait
        why = self._reason(child.name)
        click.echo(f"{child.name} ended ({how}{why}); it is started again.", err=True)

    def _reason(self, name: str) -> str:
        """Return what a child that ended said of itself, in its last line."""
        begin = f"headrace {name}: "
        last = self._last_words().splitlines()[-1:]
        return f": {last[0].removeprefix(begin)}" if last and last[0].startswith(begin) else ""

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text("utf-8", "replace").splitlines()
        except OSError:
            return "(see above)"
        return "\n".join(lines[-12:])

    # ── ready ────────────────────────────────────────────────────────────────────────────────────

    @property
    def _url(self) -> str:
        web = self._settings.web
        host = "127.0.0.1" if web.host in ("0.0.0.0", "::") else web.host  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{web.port}"

    def _await_ready(self) -> None:
        end = time.monotonic() + _READY_SECONDS
        while not self._stopping and not _answers(f"{self._url}/health"):
            if time.monotonic() > end:
                raise Unavailable(f"Headrace is not ready after a minute:\n{self._last_words()}")
            self._look_after()
            time.sleep(0.03)
        self._is_ready = True

    def _run_demo(self) -> None:
        """Run some flows of the demo, so that the dashboard has something to show."""
        from runner import wiring
        from runner.services.bundle import open_services
        from runner.services.executions import Order
        from runner.services.principal import LOCAL

        with wiring.open_runtime(self._settings) as runtime:
            services = open_services(runtime)
            for flow_id in _DEMO_FLOWS:
                try:
                    services.executions.create(Order("demo", flow_id, {}), by=LOCAL)
                except HeadraceError as exc:
                    click.echo(
                        f"the demo flow {flow_id} could not be started: {exc.message}", err=True
                    )

    def _say_ready(self) -> None:
        if not self._stopping:
            if self._demo:
                click.echo(f"Try a push: git clone {self._settings.sources[0].url}")
            click.echo(f"Headrace is ready at {self._settings.web.public_url or self._url}")
            sys.stdout.flush()

    def _watch(self) -> None:
        from runner import wiring
        from runner.cli.failing import Failing

        failing = Failing(wiring.database_url(self._settings))
        while not self._stopping:
            self._look_after()
            failing.look_at_times()
            time.sleep(0.1)

    # ── end ──────────────────────────────────────────────────────────────────────────────────────

    def _end_all(self) -> None:
        living = [child for child in self._children if child.pid is not None]
        if living:
            click.echo("Stopping …", err=True)
        for child in living:
            _signal(child.pid, signal.SIGTERM)
        end = time.monotonic() + _STOP_SECONDS
        while living and time.monotonic() < end:
            living = [child for child in living if _ended(child.pid or 0) is None]
            time.sleep(0.02)
        for child in living:
            _signal(child.pid, signal.SIGKILL)
            _ended(child.pid or 0, wait=True)
        if self._redis is not None:
            self._redis.stop()


def _apart(act: Callable[[], None]) -> None:
    """Do something in a process of its own: the memory of what it imports goes with it.

    Raises:
        Unavailable: it failed, with what it said.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            act()
            status = 0
        except BaseException as exc:  # noqa: BLE001 - told to the parent, whatever it is
            words = exc.message if isinstance(exc, HeadraceError) else traceback.format_exc()
            os.write(writing, words.encode())
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading, encoding="utf-8") as stream:
        words = stream.read()
    if _ended(pid, wait=True) != 0:
        raise Unavailable(words or "a process that prepares the database was killed")


def _preload(settings: Settings) -> None:
    """Import what the children share: all that a runtime of theirs needs, opened once for that."""
    from runner import wiring

    import_module("runner.worker")
    with wiring.open_runtime(settings):
        pass


def _demo_source(home: Path) -> SourceSettings:
    for point in entry_points(group=DEMO):
        source: SourceSettings = point.load()(home)
        return source
    raise Unavailable("the demo is not installed; configure a source, or use --no-demo")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _die_with(parent: int) -> None:
    """End when the supervisor does, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)


def _ended(pid: int, *, wait: bool = False) -> int | None:
    """Return how a child ended (negative: by a signal), or None while it lives."""
    try:
        found, status = os.waitpid(pid, 0 if wait else os.WNOHANG)
    except ChildProcessError:
        return 0
    return None if found == 0 else os.waitstatus_to_exitcode(status)


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
