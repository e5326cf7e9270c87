"""The write queue loses nothing that it acknowledged when the power goes, SQLite's own files included: docs/write-queue.md.

A library that is loaded before the C library writes down what a run does to its files and what it syncs. Of that all the
disks are made that a power cut can leave which keeps what was synced, and of the rest what it likes.

``S3D_TEST_QUEUE_CRASH_ROUNDS`` from 100 on: twice as many cuts; ``S3D_TEST_CRASH_SEED`` chooses them.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e.queue_crash import power
from e2e.queue_crash.cutting import compiled, cut
from e2e.queue_crash.disk import Disk, Record

ROUNDS = int(os.environ.get("S3D_TEST_QUEUE_CRASH_ROUNDS", "5"))
CUTS = ROUNDS * 2 if ROUNDS >= 100 else 30

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="how to be loaded before the C library is the system's own"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("unsynced"))


@pytest.mark.peer
def test_the_power_goes(tmp_path: Path, library: Path) -> None:
    report = _cut(tmp_path, library, CUTS)
    assert report["wrong"] == []
    assert len(report["points"]) >= CUTS * 2 // 3


@pytest.mark.peer
def test_a_disk_that_ignores_syncs_is_noticed(tmp_path: Path, library: Path) -> None:
    report = _cut(tmp_path, library, 4, "deaf")
    assert len(report["wrong"]) >= 2


def _cut(tmp_path: Path, library: Path, cuts: int, *options: str) -> Any:
    return cut(power.__file__, tmp_path, library, cuts, *options)


# The disk.


def _disk(*calls: tuple[str, int, int, str, bytes]) -> Disk:
    disk = Disk("/d")
    for call in calls:
        disk.play(Record(*call))
    return disk


def _left(disk: Disk, directory: Path, kept: float) -> dict[str, bytes]:
    disk.image(directory, random.Random(1), kept)
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


_MADE = (("D", -1, 0, "/d/a", b""), ("O", 3, 0, "/d/a/f", b""), ("W", 3, 0, "", b"one"))
_NAMES_SYNCED = (("O", 4, 0, "/d", b""), ("F", 4, 0, "", b""), ("O", 5, 0, "/d/a", b""), ("F", 5, 0, "", b""))


def test_nothing_is_left_of_what_was_not_synced(tmp_path: Path) -> None:
    assert _left(_disk(*_MADE, ("F", 3, 0, "", b"")), tmp_path / "left", 0) == {}
    assert _left(_disk(*_MADE, *_NAMES_SYNCED), tmp_path / "names", 0) == {"a/f": b""}
    assert _left(_disk(*_MADE), tmp_path / "all", 1) == {"a/f": b"one"}


def test_what_was_synced_is_left(tmp_path: Path) -> None:
    written = _disk(*_MADE, ("F", 3, 0, "", b""), *_NAMES_SYNCED, ("W", 3, 1, "", b"xxxx"))
    assert _left(written, tmp_path / "left", 0) == {"a/f": b"one"}
    assert _left(written, tmp_path / "all", 1) == {"a/f": b"oxxxx"}


def test_a_rename_is_done_or_not(tmp_path: Path) -> None:
    renamed = [*_MADE, ("F", 3, 0, "", b""), *_NAMES_SYNCED, ("R", -1, 0, "/d/a/f", b"/d/g")]
    assert _left(_disk(*renamed), tmp_path / "left", 0) == {"a/f": b"one"}
    assert _left(_disk(*renamed), tmp_path / "all", 1) == {"g": b"one"}
    for handle in (4, 5):  # the sync of either directory
        assert _left(_disk(*renamed, ("F", handle, 0, "", b"")), tmp_path / str(handle), 0) == {"g": b"one"}


def test_a_write_is_torn_at_sectors(tmp_path: Path) -> None:
    disk = _disk(*_MADE, *_NAMES_SYNCED, ("S", 3, 4096, "", b""), ("F", 3, 0, "", b""), ("W", 3, 100, "", b"x" * 3000))
    seen = set()
    for seed in range(50):
        disk.image(tmp_path / str(seed), random.Random(seed), 0.5)
        data = (tmp_path / str(seed) / "a" / "f").read_bytes()
        assert len(data) == 4096
        seen.update((start, data[start : start + 1]) for start in range(512, 3072, 512))
        assert all(len(set(data[start : start + 512])) == 1 for start in range(512, 3072, 512))
    assert len(seen) == 10
