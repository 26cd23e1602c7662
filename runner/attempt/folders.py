"""Working directories of attempts: made at once, removed beside the work.

Removing a folder may wait for the disk longer than a light script runs, and nobody needs it gone.
What a process leaves when it dies, `runner.worker.housekeeping` removes.
"""

from __future__ import annotations

import atexit
import os
import queue
import shutil
import tempfile
import threading
from pathlib import Path

_waiting: queue.Queue[Path] = queue.Queue()
_thread: threading.Thread | None = None
_lock = threading.Lock()


def make(parent: Path, prefix: str) -> Path:
    """Make a fresh folder below *parent*, which is made when it is missing."""
    try:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    except FileNotFoundError:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # a container may open what is in it
        return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


def remove_soon(folder: Path) -> None:
    """Remove a folder with all in it; returns at once."""
    global _thread
    _waiting.put(folder)
    with _lock:
        if _thread is None:
            _thread = threading.Thread(target=_remove_all, name="folders", daemon=True)
            _thread.start()


def wait_until_removed() -> None:
    """Wait until those that were to be removed are gone."""
    if _thread is not None:
        _waiting.join()


def _forget() -> None:
    """A forked process begins without any."""
    global _waiting, _thread, _lock
    _waiting, _thread, _lock = queue.Queue(), None, threading.Lock()


atexit.register(wait_until_removed)
os.register_at_fork(after_in_child=_forget)


def _remove_all() -> None:
    while True:
        _remove(_waiting.get())
        _waiting.task_done()


def _remove(folder: Path) -> None:
    try:
        folder.rmdir()  # most are empty: a fraction of the time
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
