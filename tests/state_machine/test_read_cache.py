"""The read cache, whatever its remote, its disk and its clients do: every answer is that of one version that it may be."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis.stateful import run_state_machine_as_test
from state_machine.cache_clock import Clock, install
from state_machine.cache_scenarios import CacheScenarios
from state_machine.machine import bounded

EXPECTED = {
    "HIT 200": 100,
    "HIT 206": 1,
    "HIT 404": 1,
    "REVALIDATED 200": 100,
    "MISS 200": 100,
    "MISS 206": 1,
    "STALE 200": 1,
    "BYPASS 200": 1,
    "error": 1,
    "late": 1,
    "evicted": 1,
    "purged": 1,
    "warmed": 1,
    "pinned": 1,
    "replaced": 1,
    "allocated": 1,
    "allocated in parts": 1,
    "no bytes": 10,
    "crashed in a change": 1,
    "blocks of the cache are damaged, and are fetched again": 10,
    "a file of the cache cannot be read, and is fetched again": 1,
    "an object in the cache is damaged and is fetched again": 1,
    "the database of the cache cannot be read": 1,
    "the cache begins empty: its database cannot be used": 1,
}
"""What comes up in a run of the usual length, and how often at least."""


def test_an_answer_of_the_cache_is_that_of_one_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says the truth about it. With S3D_TEST_EXAMPLES=2000 it has some 70,000 answers, which take minutes."""

    class Cached(CacheScenarios):
        directory = tmp_path
        clock = Clock()
        came = Counter()

    install(monkeypatch, Cached.clock)
    begun = time.monotonic()
    try:
        run_state_machine_as_test(Cached, settings=bounded(100, steps=40, shrink=False, repeatable=True))
    finally:
        print(f"{time.monotonic() - begun:.0f} s: {dict(Cached.came)}")
    seldom = {what: Cached.came[what] for what, least in EXPECTED.items() if Cached.came[what] < least}
    assert "S3D_TEST_EXAMPLES" in os.environ or not seldom, f"came up too seldom: {seldom}"
