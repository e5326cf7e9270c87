"""Uses the read cache, and marks in the trace of `unsynced.c` what was acknowledged, and when the remote changed.

Run as a program with that loaded: ``record.py DIRECTORY``. The cache is in ``DIRECTORY/disk/cache``, the remote as it was
after its n-th change in ``DIRECTORY/remote.N``. Prints what was pinned after each acknowledged request, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

from conformance.calling import call
from e2e.cache_crash.rig import BUCKET, Rig, opened
from e2e.cache_crash.scenarios import OBJECTS, PART, before_the_power_goes, while_the_power_goes
from e2e.directories import few_directories
from e2e.queue_crash.record import ACKNOWLEDGED, BEGUN, Kept, mark
from model import multipart

from s3d.local import block_files, database

_CHECKPOINT = 40  # pages, so that there are many; in use it is 8000


async def record(directory: Path) -> list[Any]:
    remote = Kept(directory / "remote.new")
    await call(remote, "CreateBucket", {"Bucket": BUCKET})
    for key, body in OBJECTS.items():
        await call(remote, "PutObject", {"Bucket": BUCKET, "Key": key, "Metadata": {"n": key}}, body)
    cache = await opened(directory / "disk" / "cache", remote)
    states: list[Any] = []

    async def done() -> None:
        states.append(cache.pins())
        mark(ACKNOWLEDGED)

    for work in (before_the_power_goes, while_the_power_goes):
        await work(Rig(cache, remote, done))
        await cache.close()
        if work is before_the_power_goes:
            mark(BEGUN)
            cache = await opened(directory / "disk" / "cache", remote)
    return states


if __name__ == "__main__":
    logging.disable()
    database._CHECKPOINT = _CHECKPOINT
    multipart.MINIMUM_PART = len(PART)
    few_directories(block_files)
    print(json.dumps(asyncio.run(record(Path(sys.argv[1])))))
