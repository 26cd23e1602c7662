import socket
import time

import pytest

from tests.services.headrace import Headrace
from tests.services.ports import LOOPBACK

THREADS = 4


@pytest.fixture(scope="module")
def small_server():
    with Headrace({"web": {"threads": THREADS}, "worker": {"count": 1}}) as headrace:
        yield headrace


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /health HTTP/1.1\r\nHost: lo",
        b"POST /api/v1/main/flows HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nid: x",
    ],
)
def test_clients_that_stop_in_the_middle_do_not_keep_others_out(small_server, begun):
    address = (LOOPBACK, small_server.port)
    stuck = [socket.create_connection(address, timeout=5) for _ in range(THREADS * 2)]
    for connection in stuck:
        connection.sendall(begun)
    end = time.monotonic() + 40
    while time.monotonic() < end and small_server.status("/health") != 200:
        pass
    assert time.monotonic() < end
    for connection in stuck:
        connection.close()
