"""What a dead worker left behind, removed by its successor."""

from __future__ import annotations

import socket

from runner.taskrunners import engines, process


def cleanup(marker: str) -> bool:
    """Remove what is left of a command, told by the marker that its runner gave before the start.

    False when it is none of this machine's business: another host's process, an unknown kind.

    Raises:
        Unavailable: the container engine does not answer; try again later.
    """
    kind, _, rest = marker.partition(":")
    name, _, place = rest.partition("@")
    match kind:
        case "process" if place == socket.gethostname():
            process.kill_marked(f"{process.MARK}={name}")
        case "container":
            engines.remove(engines.client(place), name)
        case _:
            return False
    return True
