"""What is kept for the journal on a disk that becomes full."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from s3d.write_queue.reserve import Reserve

MIB = 1 << 20


class Disk:
    """What statvfs says of one of 160 MiB, on which nothing else is."""

    def __init__(self, path: Path, free: int) -> None:
        self.path, self.free = path, free

    def statvfs(self, path: Path) -> SimpleNamespace:
        used = self.path.stat().st_size if self.path.exists() else 0
        return SimpleNamespace(f_blocks=160 * 256, f_frsize=4096, f_bavail=(self.free - used) // 4096)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(tmp_path / "reserve", 100 * MIB)
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    return disk


def inside() -> int:
    return 0


def test_it_is_there_until_it_is_given_and_again_when_there_is_room(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    reserve = Reserve(disk.path)
    assert reserve.keep(inside)
    assert disk.path.stat().st_size == 10 * MIB
    disk.free = 10 * MIB
    assert reserve.keep(inside)
    reserve.give()
    reserve.give()
    assert not disk.path.exists()
    assert caplog.text.count("the disk is full") == 1
    assert not reserve.keep(inside)
    disk.free = 20 * MIB
    assert reserve.keep(inside)
    assert disk.path.stat().st_size == 10 * MIB


def test_that_of_the_last_run(disk: Disk) -> None:
    assert Reserve(disk.path).keep(inside)
    disk.free = 10 * MIB
    assert Reserve(disk.path).keep(inside)
    Reserve(disk.path).give()
    assert not disk.path.exists()


def test_room_inside_the_database_counts(disk: Disk) -> None:
    disk.free = 5 * MIB
    reserve = Reserve(disk.path)
    assert not reserve.keep(lambda: 14 * MIB)
    assert reserve.keep(lambda: 15 * MIB)
    assert not disk.path.exists()


def test_with_room_in_plenty_there_is_none(disk: Disk) -> None:
    disk.free = 2000 * MIB
    assert Reserve(disk.path).keep(inside)
    assert not disk.path.exists()


def test_the_log_fits_in(disk: Disk) -> None:
    assert Reserve(disk.path).log_pages * 4096 == 5 * MIB


def test_a_disk_that_cannot_be_written(disk: Disk) -> None:
    disk.path.mkdir()
    assert not Reserve(disk.path).keep(inside)
