"""Filters and the write queue: what is held and what goes, whatever happens."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis.stateful import run_state_machine_as_test
from state_machine.held_machine import HeldMachine
from state_machine.machine import bounded

EXPECTED = {
    "held": 100,
    "pending": 100,
    "pending, then held": 10,
    "held, then pending": 10,
    "SlowDown": 1,
    "restarted": 10,
    "read": 50,
    "settled": 50,
}
"""What comes up in a run of the usual length, and how often at least."""


def test_what_is_held_and_what_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda attempts: 0.01)
    for module in ("abort", "away", "rest"):
        monkeypatch.setattr(f"s3d.write_queue.{module}._FIRST", 0.005)
        monkeypatch.setattr(f"s3d.write_queue.{module}._LAST", 0.02)
    monkeypatch.setattr("s3d.write_queue.losses._LONGEST", 0.02)
    monkeypatch.setattr("s3d.write_queue.known_buckets._AGE", 0.0)

    class Held(HeldMachine):
        directory = tmp_path
        came = Counter()

    begun = time.monotonic()
    try:
        run_state_machine_as_test(Held, settings=bounded(60, steps=50, shrink=True, repeatable=True))
    finally:
        print(f"{time.monotonic() - begun:.0f} s: {dict(Held.came)}")
    seldom = {what: Held.came[what] for what, least in EXPECTED.items() if Held.came[what] < least}
    assert "S3D_TEST_EXAMPLES" in os.environ or not seldom, f"came up too seldom: {seldom}"
