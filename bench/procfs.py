"""CPU time and memory of a process and its children, from /proc (see proc(5))."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_AFTER_NAME = {"utime": 11, "stime": 12, "cutime": 13, "cstime": 14}  # fields 14 to 17, counted after "(comm) "


def family(pid: int) -> list[int]:
    """The process and all that descend from it, living ones."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:  # the thread has ended in between
                continue
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time that the process, its children and its ended children have used; resolution 1/100 s."""
    total = 0
    for member in family(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        total += sum(int(fields[index]) for index in _AFTER_NAME.values())
    return total / _TICKS


def resident_bytes(pid: int) -> int:
    """VmRSS of the process and its children (pages that they share count in each of them)."""
    total = 0
    for member in family(pid):
        try:
            status = Path(f"/proc/{member}/status").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))
    return total


class PeakSampler:
    """Samples resident memory in a thread; `peak` is the highest of it in bytes. Use as a context manager."""

    def __init__(self, pid: int, *, interval: float = 0.02) -> None:
        self.peak = 0
        self._pid, self._interval = pid, interval
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            self.peak = max(self.peak, resident_bytes(self._pid))
            if self._ended.wait(self._interval):
                return
