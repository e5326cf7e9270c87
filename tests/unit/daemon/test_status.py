"""The status document."""

from __future__ import annotations

import mmap
import os

import pytest

import s3d
from s3d.daemon import status
from s3d.daemon.status import Status


def test_the_process_comes_first_and_parts_follow_in_order() -> None:
    document = Status({"remote": lambda: {"reachable": True}, "endpoint": lambda: "http://x"}).document()
    assert list(document) == ["version", "pid", "uptime_seconds", "memory_rss_bytes", "remote", "endpoint"]
    assert (document["version"], document["pid"]) == (s3d.__version__, os.getpid())
    assert isinstance(document["uptime_seconds"], float)
    assert document["remote"] == {"reachable": True}


def test_parts_are_asked_each_time() -> None:
    numbers = iter(range(9))
    made = Status({"n": lambda: next(numbers)})
    assert (made.document()["n"], made.document()["n"], made.parts("n", "other")) == (0, 1, {"n": 2})


def test_resident_memory_is_measured() -> None:
    before = status.resident_bytes()
    assert 2**20 < before < 2**36
    block = mmap.mmap(-1, 2**26)  # bytes could be where others were before
    block.write(b"x" * 2**26)
    assert status.resident_bytes() - before > 2**25
    del block


def test_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_proc(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", no_proc)
    assert 2**20 < status.resident_bytes() < 2**36
