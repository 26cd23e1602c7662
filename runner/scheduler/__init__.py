"""What happens by itself: timers, schedules, and the sweep that makes lost things good.

    scheduler = Scheduler(runtime)
    scheduler.start()
    ...
    scheduler.stop()

Any number of processes may run one: each duty is held by one of them.
"""

from __future__ import annotations

import os
import socket

from runner import ids
from runner.runtime import Runtime
from runner.scheduler.duty import Duty
from runner.scheduler.sweep import Sweep
from runner.scheduler.ticks import Ticks
from runner.scheduler.timers import fire_due

_STOP_SECONDS = 3.0


class Scheduler:
    """The duties of one process, each in a thread of its own."""

    def __init__(self, runtime: Runtime) -> None:
        holder = f"{socket.gethostname()}-{os.getpid()}-{ids.new()[:6]}"
        self._duties = [
            Duty(runtime, "timers", holder, lambda: fire_due(runtime)),
            Duty(runtime, "ticks", holder, Ticks(runtime).step),
            Duty(runtime, "sweep", holder, Sweep(runtime).step),
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        for duty in self._duties:
            duty.start()

    def stop(self) -> None:
        """End the duties and give them back, so that another process goes on at once."""
        for duty in self._duties:
            duty.stop()
        for duty in self._duties:
            duty.join(_STOP_SECONDS)
