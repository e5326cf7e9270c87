"""The eviction that runs in the daemon does what S3-FIFO is said to do: measured on traces, as in bench/eviction.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bench"))

from hit_ratio.policies import Lru, S3Fifo
from hit_ratio.product import Product
from hit_ratio.traces import Trace, traces

ROOM = 0.1  # of the bytes of all objects


def hits(trace: Trace, policy: Any) -> float:
    """Percent of the reads."""
    return 100 * sum(policy.read(key, trace.sizes[key]) for key in trace.keys) / len(trace.keys)


TRACES = {trace.name: trace for trace in traces(5_000)}


@pytest.mark.parametrize(
    "name", ["Zipf 1.2, one size", "Zipf 1.0, backups, one size", "Zipf 1.0, drifting, log-normal sizes"]
)
def test_it_is_as_good_as_the_one_of_the_paper(name: str) -> None:
    trace = TRACES[name]
    room = int(trace.footprint * ROOM)
    assert hits(trace, Product(room)) > hits(trace, S3Fifo(room)) - 1


@pytest.mark.parametrize("name", ["Zipf 0.8, one size", "Zipf 1.0, scans, one size"])
def test_it_is_better_than_lru(name: str) -> None:
    """Also at a hundredth of the objects, and when a hundred thousand are read a second."""
    trace = TRACES[name]
    room = int(trace.footprint * ROOM)
    assert hits(trace, Product(room)) > hits(trace, Lru(room)) + 4
    assert hits(trace, Product(room // 10, per_second=100_000)) > hits(trace, Lru(room // 10)) + 1


def test_not_all_rows_are_looked_at_when_all_were_used() -> None:
    """Making room is on the event loop."""
    cache = Product(10_000)
    for key in range(10_000):
        cache.read(key, 1)
    for _ in range(3):
        for key in range(10_000):
            cache.read(key, 1)
    looked: list[str] = []
    cache._database.set_trace_callback(looked.append)
    cache.read(10_000, 1)
    rows = sum("SELECT id, bucket" in statement for statement in looked) * 256
    assert 0 < rows <= 2048
