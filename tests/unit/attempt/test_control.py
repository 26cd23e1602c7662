import threading
from datetime import timedelta

from runner.attempt.control import AttemptControl, Reason


def test_the_first_reason_counts():
    control = AttemptControl()
    control.stop(Reason.TIMEOUT)
    control.stop(Reason.KILL)
    assert control.reason is Reason.TIMEOUT


def test_actions_are_called_once_while_their_block_lasts():
    control, calls = AttemptControl(), []
    with control.on_stop(lambda: calls.append("over")):
        pass
    with control.on_stop(lambda: calls.append("a")), control.on_stop(lambda: calls.append("b")):
        control.stop(Reason.KILL)
        control.stop(Reason.KILL)
    assert calls == ["a", "b"]


def test_a_late_listener_is_called_at_once():
    control, calls = AttemptControl(), []
    control.stop(Reason.KILL)
    with control.on_stop(lambda: calls.append("late")):
        assert calls == ["late"]


def test_an_action_that_fails_holds_up_no_other():
    control, calls = AttemptControl(), []
    with control.on_stop(lambda: 1 / 0), control.on_stop(lambda: calls.append("next")):
        control.stop(Reason.KILL)
    assert calls == ["next"]


def test_waiting_ends_with_the_stop():
    control = AttemptControl()
    threading.Timer(0.01, control.stop, [Reason.KILL]).start()
    assert control.wait(timedelta(seconds=30))


def test_the_time_limit_stops_the_attempt():
    control = AttemptControl()
    with control.limited_to(timedelta(milliseconds=5)):
        assert control.wait(timedelta(seconds=30))
    assert control.reason is Reason.TIMEOUT


def test_a_time_limit_that_was_met_stops_nothing():
    control = AttemptControl()
    with control.limited_to(timedelta(milliseconds=5)):
        pass
    assert not control.wait(timedelta(milliseconds=20))
