"""The status document: what the daemon says about itself, put together from the parts that each feature adds."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Mapping

import s3d

Part = Callable[[], object]
"""Gives one part of the document as a JSON value, now. It must be quick: it runs on the event loop."""


class Status:
    """The document of ``GET /status`` and ``s3d status --json``.

    ``parts`` are its top-level names with their sources, in order: the process itself comes first and is always there
    (``version``, ``pid``, ``uptime_seconds``, ``memory_rss_bytes``).
    """

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = dict(parts)
        self._started = time.monotonic()

    def document(self) -> dict[str, object]:
        process = {
            "version": s3d.__version__,
            "pid": os.getpid(),
            "uptime_seconds": round(time.monotonic() - self._started, 3),
            "memory_rss_bytes": resident_bytes(),
        }
        return process | {name: part() for name, part in self._parts.items()}

    def parts(self, *names: str) -> dict[str, object]:
        """Those of these parts that there are."""
        return {name: self._parts[name]() for name in names if name in self._parts}


def resident_bytes() -> int:
    """Memory of this process that is in RAM now; where the system does not say, the most that it ever was."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # no /proc: not Linux
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
