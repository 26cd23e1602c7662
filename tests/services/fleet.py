"""Workers as processes on one SQLite and one Redis; the scheduler runs in the test itself."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from runner.scheduler import Scheduler
from runner.services.bundle import open_services
from runner.services.executions import Order
from runner.services.principal import LOCAL
from runner.settings import Settings
from runner.store.base import LogQuery
from runner.wiring import make_runtime

NAMESPACE = "company.team"
PROCESS = "{type: io.kestra.plugin.core.runner.Process}"


def shell(task_id: str, *commands: str, indent: str = "  ", **more: str) -> str:
    """A shell task as YAML."""
    lines = [f"- id: {task_id}", "  type: io.kestra.plugin.scripts.shell.Commands"]
    lines += [f"  taskRunner: {PROCESS}", f"  commands: {list(commands)!r}"]
    lines += [f"  {name}: {value}" for name, value in more.items()]
    return "".join(f"{indent}{line}\n" for line in lines)


class Fleet:
    """Everything but web and Git. *lease* is that of its workers, in seconds."""

    def __init__(self, home: Path, redis_url: str, *, lease: float = 3, **settings) -> None:
        self.home = home
        self.redis_url = redis_url
        self._lease = lease
        self.settings = Settings(
            home=home,
            redis_url=redis_url,
            task_runner={"default": "process"},
            worker={"lease": lease},
            **settings,
        )
        self.runtime = make_runtime(self.settings, migrated=True)
        self.services = open_services(self.runtime)
        self.scheduler = Scheduler(self.runtime)
        self.scheduler.start()
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_worker(
        self, *, slots: int = 4, queues: tuple[str, ...] = ()
    ) -> subprocess.Popen[bytes]:
        """Start one more; returns when it is registered."""
        argv = [sys.executable, "-c", "from runner.cli import main; main()", "worker"]
        argv += ["--home", str(self.home), "--slots", str(slots)]
        for queue in queues:
            argv += ["--queue", queue]
        worker = self.launch(argv)
        self.until(lambda: worker.pid in {row.pid for row in self.rows()})
        return worker

    def launch(self, argv: list[str]) -> subprocess.Popen[bytes]:
        """Start a program in the workers' environment; it ends with the fleet."""
        with (self.home / f"worker-{len(self.workers)}.log").open("wb") as log:
            started = subprocess.Popen(
                argv, env=self.environment(), stdout=log, stderr=log, start_new_session=True
            )
        self.workers.append(started)
        return started

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HEADRACE_HOME": str(self.home),
            "HEADRACE_REDIS_URL": self.redis_url,
            "HEADRACE_TASK_RUNNER__DEFAULT": "process",
            "HEADRACE_WORKER__LEASE": str(self._lease),
        }

    def rows(self):
        with self.runtime.store.read() as tx:
            return tx.workers.all()

    def add_flow(self, flow_id: str, body: str) -> None:
        self.services.flows.create(f"id: {flow_id}\nnamespace: {NAMESPACE}\n{body}", by=LOCAL)

    def start(self, flow_id: str) -> str:
        order = Order(NAMESPACE, flow_id, {})
        return self.services.executions.create(order, by=LOCAL).execution.id

    def kill(self, execution_id: str) -> None:
        self.services.executions.kill(execution_id, by=LOCAL)

    def ended(self, execution_id: str, seconds: float = 30):
        """Wait for the end and return the execution."""

        def look():
            with self.runtime.store.read() as tx:
                execution = tx.executions.get(execution_id)
            return execution if execution.fully_ended else None

        return self.until(look, seconds)

    def attempts(self, execution_id: str, task_id: str):
        with self.runtime.store.read() as tx:
            (run,) = tx.task_runs.of_task(execution_id, task_id)
        return [str(attempt.state) for attempt in run.attempts]

    def messages(self, execution_id: str) -> list[str]:
        page = self.runtime.store.logs.search(LogQuery(execution_id=execution_id), limit=1000)
        return [line.message for line in page.items]

    def until(self, look, seconds: float = 30):
        """Ask until the answer is truthy; returns it."""
        end = time.monotonic() + seconds
        while not (answer := look()):
            assert time.monotonic() < end, self.logs()
            time.sleep(0.02)
        return answer

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.home.glob("worker-*.log")))

    def close(self) -> None:
        self.scheduler.stop()
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
            worker.wait()
        self.runtime.store.close()
