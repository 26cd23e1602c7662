"""Pulling an image: with progress, tried again, and to be stopped."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from runner.taskrunners.base import CannotRun

if TYPE_CHECKING:
    from docker import APIClient

PULL_WAITS = tuple(timedelta(seconds=5 * 2**n) for n in range(5))
_PROGRESS_SECONDS = 5.0


def login(image: str, logins: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """Return the login for an image's registry, of *logins* by registry; empty: there is none."""
    from docker import auth

    registry, _ = auth.resolve_repository_name(image)
    return auth.AuthConfig({"auths": dict(logins)}).resolve_authconfig(registry) or {}


class Pull:
    """Pulls one image. *credentials* as the engine's API names them."""

    def __init__(
        self,
        api: APIClient,
        image: str,
        credentials: Mapping[str, str],
        log: Callable[[str], None],
    ) -> None:
        self._api = api
        self._image = image
        self._credentials = credentials
        self._log = log

    def run(self, waits: Sequence[timedelta], stopping: threading.Event) -> bool:
        """Pull, trying again after the *waits* on errors of the server; False when stopped.

        Raises:
            CannotRun: the registry refuses.
        """
        import docker

        left = iter(waits)
        while True:
            try:
                return self._once(stopping)
            except docker.errors.APIError as exc:
                worth_it = exc.is_server_error() and not _is_nowhere(exc)
                wait = next(left, None) if worth_it else None
                if wait is None:
                    raise CannotRun(self._refused(exc)) from exc
                self._log(
                    f"Cannot pull {self._image} ({exc.explanation or exc}), "
                    f"again in {wait.total_seconds():g} s"
                )
                if stopping.wait(wait.total_seconds()):
                    return False

    def _once(self, stopping: threading.Event) -> bool:
        self._log(f"Pulling {self._image}")
        events: queue.Queue[dict[str, Any] | Exception | None] = queue.Queue()
        threading.Thread(target=self._follow, args=(events,), daemon=True).start()
        progress = Progress(self._image, self._log)
        while not stopping.is_set():
            try:
                event = events.get(timeout=0.2)
            except queue.Empty:
                continue
            if isinstance(event, Exception):
                raise event
            if event is None:
                progress.done()
                return True
            progress.note(event)
        return False

    def _follow(self, events: queue.Queue[Any]) -> None:
        """Put the events of the pull into a queue, at last its error or None."""
        from docker.errors import APIError
        from docker.utils import parse_repository_tag

        repository, tag = parse_repository_tag(self._image)
        try:
            for event in self._api.pull(
                repository,
                tag=tag or "latest",
                stream=True,
                decode=True,
                auth_config=dict(self._credentials) or None,
            ):
                if "error" in event:
                    raise APIError(event["error"], explanation=event["error"])
                events.put(event)
            events.put(None)
        except Exception as exc:  # noqa: BLE001 it is raised by who reads the queue
            events.put(exc)

    def _refused(self, exc: Any) -> str:
        return (
            f"cannot pull the image {self._image}: {exc.explanation or exc}. Check its name and "
            "tag, and whether the registry needs `credentials`; without a registry, scripts run in "
            "processes with the setting `task_runner: {default: process}`"
        )


def _is_nowhere(exc: Any) -> bool:
    """Whether the registry's name leads nowhere: waiting does not change that."""
    return "no such host" in str(exc.explanation or exc)


class Progress:
    """Says now and then how far a pull is."""

    def __init__(self, image: str, log: Callable[[str], None]) -> None:
        self._image = image
        self._log = log
        self._layers: dict[str, bool] = {}
        self._began = self._said = time.monotonic()

    def note(self, event: Mapping[str, Any]) -> None:
        if layer := event.get("id"):
            self._layers[layer] = event.get("status") in ("Pull complete", "Already exists")
        if time.monotonic() - self._said > _PROGRESS_SECONDS:
            self._said = time.monotonic()
            ready = sum(self._layers.values())
            self._log(f"Pulling {self._image}: {ready} of {len(self._layers)} layers")

    def done(self) -> None:
        self._log(f"Pulled {self._image} in {time.monotonic() - self._began:.1f} s")
