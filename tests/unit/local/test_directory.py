from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from s3d.local.directory import CannotOpen, DirectoryInUse, Lock, make, sync_directory

_HOLDER = """
import pathlib, sys, time
from s3d.local.directory import Lock
lock = Lock(pathlib.Path(sys.argv[1]))
lock.take()
print("held", flush=True)
time.sleep(600)
"""


def test_a_second_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(DirectoryInUse, match=rf"in use by process {holder.pid}: stop that first"):
                Lock(tmp_path).take()
        finally:
            holder.send_signal(signal.SIGKILL)
            holder.wait()
    Lock(tmp_path).take()


def test_also_within_a_process(tmp_path: Path) -> None:
    first, second = Lock(tmp_path), Lock(tmp_path)
    first.take()
    with pytest.raises(DirectoryInUse):
        second.take()
    first.release()
    first.release()
    second.take()
    second.release()


def test_the_file_of_the_lock_stays(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    lock.take()
    lock.release()
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_holder_that_could_not_write_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock(tmp_path)
    lock.take()
    (tmp_path / "lock").write_text("")
    with pytest.raises(DirectoryInUse, match="another process"):
        Lock(tmp_path).take()
    lock.release()


def test_a_full_disk_can_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    lock = Lock(tmp_path)
    lock.take()
    with pytest.raises(DirectoryInUse):
        Lock(tmp_path).take()
    lock.release()


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*args: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", cannot)
    with pytest.raises(CannotOpen, match=r"cannot lock files .*choose another directory") as raised:
        Lock(tmp_path).take()
    assert not isinstance(raised.value, DirectoryInUse)


def test_make_is_for_its_owner_only_and_repeatable(tmp_path: Path) -> None:
    for _ in range(2):
        make(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_make_syncs_each_name_that_it_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("s3d.local.directory.sync_directory", synced.append)
    make(tmp_path / "a" / "b")
    assert sorted(synced) == [tmp_path, tmp_path / "a"]
    make(tmp_path / "a" / "b")
    assert len(synced) == 2


def test_what_cannot_be_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotOpen, match=r"file/store cannot be used \(Not a directory\)"):
        make(tmp_path / "file" / "store")


def test_sync_directory_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sync_directory(tmp_path / "absent")
