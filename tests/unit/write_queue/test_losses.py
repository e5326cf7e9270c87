"""When an operation at which the connection broke is tried again."""

from __future__ import annotations

from s3d.write_queue.losses import Losses


def test_at_once_at_first_then_with_growing_pauses() -> None:
    losses = Losses()
    assert [losses.lost(1), losses.lost(1)] == [0.0, 0.0]
    for expected in (1.0, 2.0, 4.0, 8.0, 16.0):
        assert 0.75 * expected <= losses.lost(1) <= 1.25 * expected
    for _ in range(2000):
        assert losses.lost(1) <= 37.5
    assert losses.lost(2) == 0.0


def test_an_answer_ends_it() -> None:
    losses = Losses()
    for _ in range(5):
        losses.lost(1)
    losses.forget(1)
    losses.forget(2)
    assert losses.lost(1) == 0.0
