"""When a remote is left alone."""

from __future__ import annotations

import pytest

from s3d.write_queue import rest
from s3d.write_queue.rest import Rest


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds, as the first element."""
    now = [100.0]
    monkeypatch.setattr(rest.time, "monotonic", lambda: now[0])
    return now


def test_one_operation_alone_is_no_sign(clock: list[float]) -> None:
    it = Rest()
    for _ in range(50):
        it.refused(1, 500, "InternalError")
    assert (it.left(), it.workers(8)) == (0, 8)


def test_several_are(clock: list[float]) -> None:
    it = Rest()
    it.refused(1, 503, "SlowDown")
    it.refused(2, 503, "SlowDown")
    assert 0.05 <= it.left() <= 0.1
    assert it.workers(8) == 1
    it.succeeded()
    assert (it.left(), it.workers(8)) == (0, 8)


def test_it_grows_by_the_rest_not_by_the_operation(clock: list[float]) -> None:
    """Those that were under way together are refused together."""
    it = Rest()
    for seq in range(8):
        it.refused(seq, 503, "SlowDown")
    assert it.left() <= 0.1
    longest = 0.1
    for _ in range(12):
        clock[0] += it.left() + 0.001
        it.refused(8, 503, "SlowDown")
        longest = min(30.0, longest * 2)
        assert longest / 2 <= it.left() <= longest
    it.succeeded()
    it.refused(1, 503, "SlowDown")
    it.refused(2, 503, "SlowDown")
    assert it.left() <= 0.1


def test_the_remote_says_how_long(clock: list[float]) -> None:
    it = Rest()
    it.refused(1, 503, "SlowDown", 20.0)
    it.refused(2, 503, "SlowDown", 20.0)
    assert it.left() == 20.0


@pytest.mark.parametrize(
    ("status", "code", "rests"),
    [
        (500, "InternalError", True),
        (429, "anything", True),
        (403, "ExpiredToken", True),
        (403, "RequestTimeTooSkewed", True),
        (403, "SignatureDoesNotMatch", True),
        (400, "RequestTimeout", True),
        (409, "ConditionalRequestConflict", False),
        (400, "BadDigest", False),
        (404, "NoSuchUpload", False),
    ],
)
def test_what_is_meant_for_all(clock: list[float], status: int, code: str, rests: bool) -> None:
    it = Rest()
    it.refused(1, status, code)
    it.refused(2, status, code)
    assert (it.left() > 0) is rests
