"""The remote of a queue that is killed: the model, kept in a file, so that it has what it had when the process ended."""

from __future__ import annotations

import asyncio
import itertools
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path

from model import store as model_store
from model.memory import Memory

from s3d.s3.errors import RemoteUnreachable, S3Error, error_response
from s3d.s3.message import S3Request, S3Response

UNKNOWN = "unknown"
"""A bucket that does not say whether it has versions."""

_READS = ("Get", "Head", "List")
_LOST = RemoteUnreachable("The remote S3 cannot be reached: the test cut the connection.")


class Remote:
    """A Backend. ``at`` is told the name of each point that a request comes to: before it is sent, in the middle of its
    body, and after it was done and before its answer is known. What it changes is in the file before that last one."""

    def __init__(self, path: Path, at: Callable[[str], None] = lambda name: None) -> None:
        self._path = path
        self._at = at
        self._memory = Memory()
        if path.exists():
            self._memory.store = pickle.loads(path.read_bytes())
        model_store._version_ids = itertools.count(time.time_ns())  # those of the process before are not used again
        self.refuses: set[str] = set()
        """Operations that are denied."""
        self.loses: dict[str, int] = {}
        """By operation: to how many of the next the answer does not come; they are done."""
        self.holds: dict[str, asyncio.Event] = {}
        """By operation: it is done only when this is set. `reached` is set when one waits for it."""
        self.reached = asyncio.Event()

    @property
    def store(self) -> model_store.Store:
        return self._memory.store

    async def __call__(self, request: S3Request) -> S3Response:
        name = request.operation
        self._at(f"before {name}")
        request.body = await self._receive(request)
        if (hold := self.holds.get(name)) is not None:
            self.reached.set()
            await hold.wait()
        if name in self.refuses or (name, request.bucket) == ("GetBucketVersioning", UNKNOWN):
            return error_response(S3Error("AccessDenied"), resource="/", request_id="")
        response = await self._memory(request)
        if not name.startswith(_READS):
            self.save()
        self._at(f"after {name}")
        if self.loses.get(name):
            self.loses[name] -= 1
            raise _LOST
        return response

    async def _receive(self, request: S3Request) -> bytes:
        """The whole body; what comes in pieces has a point in it."""
        if isinstance(request.body, bytes):
            return request.body
        pieces: list[bytes] = []
        async for piece in request.body:
            if not pieces:
                self._at(f"in the middle of {request.operation}")
            pieces.append(piece)
        return b"".join(pieces)

    def save(self) -> None:
        """The file is the old or the new one, whenever the process ends."""
        new = self._path.with_suffix(".new")
        new.write_bytes(pickle.dumps(self.store))
        os.replace(new, self._path)
