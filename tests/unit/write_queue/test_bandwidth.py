"""Bytes a second by time of day."""

from __future__ import annotations

import pytest

from s3d.daemon import values
from s3d.write_queue.bandwidth import Schedule, Window


def test_all_day() -> None:
    assert values.bandwidth("10MB") == Schedule((Window(10e6),))
    assert values.bandwidth("10MB/s").at(0) == 10e6


@pytest.mark.parametrize(
    ("minute", "rate"), [(0, 2.0), (8 * 60 - 1, 2.0), (8 * 60, 1.0), (18 * 60 - 1, 1.0), (18 * 60, 2.0)]
)
def test_hours(minute: int, rate: float) -> None:
    assert values.bandwidth("1 08:00-18:00, 2").at(minute) == rate


def test_over_midnight_and_without_a_limit() -> None:
    schedule = values.bandwidth("1 22:00-6:00")
    assert [schedule.at(hour * 60) for hour in (21, 22, 0, 5, 6, 12)] == [None, 1.0, 1.0, 1.0, None, None]


@pytest.mark.parametrize("text", ["", "fast", "1MB 8-18", "1MB 08:00", "1MB 08:00-25:00", "1MB 08:60-09:00", "1MB,"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="write bytes per second"):
        values.bandwidth(text)
