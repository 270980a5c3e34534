"""When a request makes room for another one."""

import time

import pytest

from harvest.api.rate_limit import RateLimit, Turn


@pytest.mark.parametrize(
    ("window", "answered_after", "free_after"),
    [
        (15, 0.0, 15.0),
        (15, 0.3, 15.3),
        # it had arrived long before
        (15, 2.0, 15.5),
        (15, None, 15.5),
        # a short window has a short distance
        (2, 0.3, 2.1),
        (2, None, 2.1),
    ],
)
def test_a_request_makes_room(
    window: float, answered_after: float, free_after: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    limit = RateLimit("api", rate=2, window=window)
    turns = [limit.take(), limit.take()]
    assert limit.take() is None
    if answered_after is not None:
        clock[0] += answered_after
        for turn in turns:
            limit.answered(turn or Turn(0))
    clock[0] = 1000 + free_after - 0.01
    assert limit.take() is None
    clock[0] = 1000 + free_after
    assert [limit.take() is None for _ in range(3)] == [False, False, True]
    assert limit.sent == 4


def test_nothing_is_sent_during_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    limit = RateLimit("api", rate=2, window=15)
    limit.pause(30)
    clock[0] = 1029.0
    assert limit.take() is None
    clock[0] = 1030.0
    assert limit.take() is not None
