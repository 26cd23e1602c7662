"""``headrace worker``: one worker process, on this or another machine."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.options import config_option, home_option, reports_errors, settings_of
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.worker import Worker


@click.command()
@home_option
@config_option
@click.option("--queue", "queues", multiple=True, help="Worker group to serve; may be repeated.")
@click.option("--slots", type=click.IntRange(min=1), help="Attempts at once.")
@click.option("--grace", help="How long running attempts may go on after SIGTERM, as 30s or 5m.")
@reports_errors
def worker(
    home: Path | None,
    config: Path | None,
    queues: tuple[str, ...],
    slots: int | None,
    grace: str | None,
) -> None:
    """Run a worker: it takes jobs from Redis.

    On several machines give each the same REDIS_URL and HEADRACE_DATABASE_URL. SIGTERM lets running
    attempts end (--grace); a second one stops them, to start again elsewhere.

    \b
    Example:
      REDIS_URL=redis://redis:6379 HEADRACE_DATABASE_URL=postgresql://… headrace worker --slots 16
    """
    settings = settings_of(
        home, config, worker__queues=queues or None, worker__slots=slots, worker__grace=grace
    )
    serve(settings, at_once=False)


def serve(settings: Settings, *, at_once: bool = True) -> None:
    """Work until SIGTERM; with *at_once* running attempts are then stopped and sent again."""
    from runner import logs, wiring
    from runner.worker import Worker

    with wiring.open_runtime(settings) as runtime:
        logs.configure(runtime.mask.apply)
        ours = Worker(runtime, wiring.redis_url(settings))
        _stop_on_signals(ours, at_once=at_once)
        ours.run()


def _stop_on_signals(ours: Worker, *, at_once: bool) -> None:
    told: list[int] = []

    def stop(number: int, _: object) -> None:
        told.append(number)
        if at_once or len(told) > 1:
            ours.stop_now()
        else:
            ours.drain()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
