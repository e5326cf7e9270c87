"""The read cache answers right after the power went, SQLite's own files included: docs/read-cache.md.

How the disks that are left are made: `e2e.test_queue_power`. ``S3D_TEST_CACHE_CRASH_ROUNDS`` from 100 on: twice as many
cuts; ``S3D_TEST_CRASH_SEED`` chooses them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from e2e.cache_crash import power
from e2e.queue_crash.cutting import compiled, cut

ROUNDS = int(os.environ.get("S3D_TEST_CACHE_CRASH_ROUNDS", "5"))
CUTS = ROUNDS * 2 if ROUNDS >= 100 else 20

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(sys.platform != "linux", reason="how to be loaded before the C library is the system's own"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("unsynced"))


def test_the_power_goes(tmp_path: Path, library: Path) -> None:
    report = cut(power.__file__, tmp_path, library, CUTS, "right")
    assert report["wrong"] == []
    assert len(report["points"]) == CUTS


def test_a_disk_that_ignores_syncs_is_noticed(tmp_path: Path, library: Path) -> None:
    assert cut(power.__file__, tmp_path, library, 6, "deaf")["wrong"]


def test_a_start_that_compares_no_checksums_is_noticed(tmp_path: Path, library: Path) -> None:
    assert cut(power.__file__, tmp_path, library, 12, "blind")["wrong"]
