"""How fast the queue drains."""

from __future__ import annotations

import pytest

from s3d.write_queue.pace import Pace


def test_the_last_minute_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("s3d.write_queue.pace.time.monotonic", lambda: now[0])
    pace = Pace()
    assert pace.rate() == (0.0, 0.0)
    for second in range(10):
        now[0] = 100.0 + second
        pace.add(1000)
        pace.add(0)
    now[0] = 110.0
    assert pace.rate() == (2.0, 1000.0)
    assert (pace.operations, pace.bytes) == (20, 10_000)
    now[0] = 1000.0
    assert pace.rate() == (0.0, 0.0)
    assert (pace.operations, pace.bytes) == (20, 10_000)
