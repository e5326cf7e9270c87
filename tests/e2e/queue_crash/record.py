"""Uses the write queue, and marks in the trace of `unsynced.c` what was acknowledged, and when the remote changed.

Run as a program with that loaded: ``record.py DIRECTORY``. The queue is in ``DIRECTORY/disk/queue``, the remote as it was
after its n-th change in ``DIRECTORY/remote.N``.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import sys
from pathlib import Path

from e2e.queue_crash.look import empty, hurry
from e2e.queue_crash.remote import Remote
from e2e.queue_crash.rig import Rig, opened
from e2e.queue_crash.scenarios import EVERYTHING

from s3d.local import database

BEGUN, ACKNOWLEDGED = "begun", "acknowledged"
_CHECKPOINT = 40  # pages, so that there are many; in use it is 8000


def mark(text: str) -> None:
    """Writes it into the trace."""
    ctypes.CDLL(None).unsynced_mark(text.encode())


class Kept(Remote):
    """All that it ever was."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._changes = 0

    def save(self) -> None:
        self._path = self._path.with_suffix(f".{self._changes}")
        super().save()
        mark(self._path.name)
        self._changes += 1


async def record(directory: Path) -> None:
    remote = Kept(directory / "remote.new")
    await empty(remote)
    mark(BEGUN)

    async def done() -> None:
        mark(ACKNOWLEDGED)

    queue = await opened(directory / "disk" / "queue", remote)
    await EVERYTHING.run(Rig(queue, remote, done))
    await queue.close()


if __name__ == "__main__":
    logging.disable()
    hurry()
    database._CHECKPOINT = _CHECKPOINT
    asyncio.run(record(Path(sys.argv[1])))
