"""A small HTTP load client: keep-alive connections over raw sockets, so that it costs the server's
machine little.
"""

import selectors
import socket
import time
from dataclasses import dataclass, field


@dataclass
class Load:
    """What came of a load: seconds from first call to last answer, and each call's seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0


def closed_loop(port: int, path: str, count: int, connections: int = 32) -> Load:
    """Send *count* POSTs, each connection its next one as soon as it has an answer."""
    request = _request(port, path)
    load, left, open_calls = Load(), count, 0
    selector = selectors.DefaultSelector()
    started = time.perf_counter()
    for _ in range(min(connections, count)):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(request)
        selector.register(sock, selectors.EVENT_READ, time.perf_counter())
        left, open_calls = left - 1, open_calls + 1
    while open_calls:
        for key, _ in selector.select(30):
            sock = key.fileobj
            answer = _read(sock)
            now = time.perf_counter()
            load.latencies.append(now - key.data)
            load.refused += not answer.startswith(b"HTTP/1.1 200")
            if left:
                sock.sendall(request)
                selector.modify(sock, selectors.EVENT_READ, now)
                left -= 1
            else:
                selector.unregister(sock)
                sock.close()
                open_calls -= 1
    load.seconds = time.perf_counter() - started
    return load


def paced(port: int, path: str, per_second: float, seconds: float, connections: int = 64) -> Load:
    """Send POSTs at a steady rate; a call's time counts from when it was *due*."""
    request = _request(port, path)
    load = Load()
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    busy = selectors.DefaultSelector()
    started = time.perf_counter()
    due, count, total, answered = started, 0, int(per_second * seconds), 0
    while answered < total:
        now = time.perf_counter()
        while count < total and due <= now and idle:
            sock = idle.pop()
            sock.sendall(request)
            busy.register(sock, selectors.EVENT_READ, due)
            count += 1
            due = started + count / per_second
        wait = max(0.0, due - time.perf_counter()) if count < total and idle else 1.0
        for key, _ in busy.select(min(wait, 1.0)):
            answer = _read(key.fileobj)
            load.latencies.append(time.perf_counter() - key.data)
            load.refused += not answer.startswith(b"HTTP/1.1 200")
            busy.unregister(key.fileobj)
            idle.append(key.fileobj)
            answered += 1
    load.seconds = time.perf_counter() - started
    for sock in idle:
        sock.close()
    return load


def _request(port: int, path: str) -> bytes:
    body = b'{"who": "bench"}'
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _read(sock: socket.socket) -> bytes:
    """Read one answer: head, then as many bytes as it announces."""
    data = sock.recv(65536)
    while b"\r\n\r\n" not in data:
        data += _more(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    length = int(lengths[0].split(b":")[1]) if lengths else 0
    while len(body) < length:
        body += _more(sock)
    return head


def _more(sock: socket.socket) -> bytes:
    chunk = sock.recv(65536)
    if not chunk:
        raise ConnectionError("the server closed a connection in the middle of an answer")
    return chunk
