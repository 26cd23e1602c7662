"""Live views. The reader is a thread with pauses of milliseconds; every wait here has a bound."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from runner.model.logs import Level, LogLine
from runner.services.bundle import open_services
from runner.services.executions import Order
from runner.services.principal import LOCAL
from tests.unit.runtimes import HELLO, drive_all
from web.refusals import TooBusy
from web.stream import Frame, Streams


@pytest.fixture
def stopping():
    return []


@pytest.fixture
def services(runtime):
    services = open_services(runtime)
    services.flows.create(HELLO, by=LOCAL)
    return services


@pytest.fixture
def streams(services, stopping):
    streams = Streams(services, most=3, is_stopping=lambda: bool(stopping))
    yield streams
    stopping.append(True)


@pytest.fixture
def started(services):
    order = Order("company.team", "hello", inputs={})
    return services.executions.create(order, by=LOCAL).execution.id


def named(frames):
    return [frame.name for frame in frames if not isinstance(frame, Frame) or frame.name]


def test_a_wait_ends_with_the_execution(streams, started, runtime):
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(streams.wait_for_end, started)
        drive_all(runtime, started)

        assert str(waiting.result(timeout=5).state) == "SUCCESS"


def test_a_wait_that_takes_too_long_gives_what_there_is(streams, started):
    assert str(streams.wait_for_end(started, seconds=0.05).state) == "CREATED"


def test_a_follower_sees_start_change_and_end(streams, started, runtime):
    frames = streams.follow_execution(started)
    first = next(frames)
    assert (first.name, json.loads(first.data)["state"]["current"]) == ("start", "CREATED")

    drive_all(runtime, started)
    rest = list(frames)

    assert rest[-1].name == "end"
    assert json.loads(rest[-1].data)["state"]["current"] == "SUCCESS"


def test_two_followers_are_fed_by_one_reader(streams, started, runtime):
    one, two = streams.follow_execution(started), streams.follow_execution(started)
    assert [next(one).name, next(two).name] == ["start", "start"]

    drive_all(runtime, started)

    assert list(one)[-1].data == list(two)[-1].data


def test_a_follower_of_lines_gets_old_and_new_ones_once(streams, started, runtime, services):
    def line(number, message):
        return LogLine(
            namespace="company.team",
            flow_id="hello",
            at=runtime.clock.now(),
            level=Level.INFO,
            message=message,
            number=number,
            execution_id=started,
        )

    runtime.store.logs.write([line(100, "old")])
    frames = streams.follow_logs(started)
    assert next(frames).name == "start"
    assert next(frames).message == "old"
    runtime.store.logs.write([line(101, "new")])
    assert next(frames).message == "new"
    drive_all(runtime, started)
    *lines, end = frames

    assert end.name == "end"
    assert [each.message for each in lines] == ["hi bob", "bob"]


def test_more_lines_than_are_kept_all_arrive(streams, started, runtime, monkeypatch):
    monkeypatch.setattr("web.stream._KEPT_LINES", 5)
    frames = streams.follow_logs(started)
    next(frames)
    lines = [
        LogLine("n", "f", runtime.clock.now(), Level.INFO, str(number), number, started)
        for number in range(50)
    ]
    for start in range(0, 50, 10):
        runtime.store.logs.write(lines[start : start + 10])

    found = list(islice((each for each in frames if isinstance(each, LogLine)), 50))

    assert [each.message for each in found] == [str(number) for number in range(50)]


def test_quiet_lines_are_left_out(streams, started, runtime):
    drive_all(runtime, started)

    *lines, _ = list(streams.follow_logs(started, min_level=Level.INFO))[1:]

    assert [line.message for line in lines] == ["hi bob"]


def test_streams_are_limited_and_given_back(streams, started):
    held = [streams.follow_execution(started) for _ in range(3)]
    for frames in held:
        next(frames)

    with pytest.raises(TooBusy):
        next(streams.follow_execution(started))
    held[0].close()

    assert next(streams.follow_execution(started)).name == "start"


def test_a_deleted_execution_ends_its_streams(streams, started, services, runtime):
    drive_all(runtime, started)
    frames = streams.follow_execution(started)
    next(frames)
    services.executions.delete(started, by=LOCAL)

    assert [frame.name for frame in frames] == ["end"]


def test_streams_end_when_the_server_stops(streams, started, stopping):
    frames = streams.follow_execution(started)
    next(frames)

    stopping.append(True)

    assert list(frames) == []


def test_frames_are_written_as_each_side_reads_them():
    frame = Frame("progress", b'{"a":1}')

    assert frame.kestra() == b'id: progress\ndata: {"a":1}\n\n'
    assert frame.named() == b'event: progress\nid: progress\ndata: {"a":1}\n\n'
    assert Frame().kestra() == b": ping\n\n"


def test_who_has_hung_up_keeps_no_place(streams, started):
    execution = streams.wait_for_end(started, is_gone=lambda: True)
    frames = list(streams.follow_execution(started, is_gone=lambda: True))

    assert str(execution.state) == "CREATED"
    assert [frame.name for frame in frames] in (["start"], [])
    assert next(streams.follow_execution(started)).name == "start"
