"""The write queue, whatever its remote does, against the reference model."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis.stateful import run_state_machine_as_test
from state_machine.machine import Profile, bounded
from state_machine.queue_machine import QueueMachine
from state_machine.queue_rules import QueueRules

KEYS = ("a", "a/b", "a//b", "dir/a", "dir/sub/c", "\uffee", "\U0001f600", "\udcff", "\u00e9" * 512)
"""Few, so that something happens to each."""


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are hundredths of seconds: a run has thousands of them."""
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda attempts: 0.02)
    for module in ("abort", "away", "rest"):
        monkeypatch.setattr(f"s3d.write_queue.{module}._FIRST", 0.005)
        monkeypatch.setattr(f"s3d.write_queue.{module}._LAST", 0.02)
    monkeypatch.setattr("s3d.write_queue.losses._LONGEST", 0.02)
    monkeypatch.setattr("s3d.write_queue.known_buckets._AGE", 0.05)


@pytest.mark.usefixtures("soon")
def test_the_write_queue_is_the_model(tmp_path: Path) -> None:
    """With S3D_TEST_EXAMPLES=350 it has more than 10,000 steps, which take some minutes. The owner of what is not there yet
    is known only from a page of the remote that has an owner, so it is not compared."""

    class Queued(QueueRules):
        directory = tmp_path
        profile = Profile(contextlib.nullcontext, keys=KEYS, ignored=frozenset({"Owner"}))

    begun = time.monotonic()
    QueueMachine.steps = QueueMachine.requests = 0
    try:
        run_state_machine_as_test(Queued, settings=bounded(50, steps=40, shrink=False, repeatable=True))
    finally:
        print(f"{QueueMachine.steps} steps, {QueueMachine.requests} requests, {time.monotonic() - begun:.0f} s")
