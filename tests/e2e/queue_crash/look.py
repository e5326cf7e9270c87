"""What has to be left of acknowledged requests, and what is."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.calling import call
from e2e.queue_crash import consistency
from e2e.queue_crash.remote import UNKNOWN, Remote
from e2e.queue_crash.rig import Rig, opened
from e2e.queue_crash.scenarios import MINIMUM_PART, Scenario
from e2e.queue_crash.states import BUCKETS, seen, stored
from model import multipart

from s3d.standalone import complete
from s3d.write_queue import abort, away, outcome
from s3d.write_queue.backend import WriteQueue

_AFTER = b"a" * 100_000


def hurry() -> None:
    """In this process: small parts, short pauses."""
    complete._MINIMUM = multipart.MINIMUM_PART = MINIMUM_PART
    away._FIRST = abort._FIRST = outcome._FIRST_DELAY = 0.01  # seconds; nobody else is in need of the remote


async def empty(remote: Remote) -> Remote:
    """It has its buckets, and nothing else."""
    remote.store.buckets.clear()
    for bucket in BUCKETS:
        await call(remote, "CreateBucket", {"Bucket": bucket})
    for bucket in ("versioned", UNKNOWN):
        enabled = {"VersioningConfiguration": {"Status": "Enabled"}}
        await call(remote, "PutBucketVersioning", {"Bucket": bucket, **enabled})
    return remote


async def alone(scenario: Scenario, path: Path) -> tuple[list[str], list[Any]]:
    """The same requests, made of a remote without a queue: all keys, and what is there after each acknowledged one."""
    keys: list[str] = []
    states: list[Any] = []
    for _ in range(2):  # the second time all keys are known
        states = await _states(scenario, await empty(Remote(path)), keys)
        keys = sorted({name for state in states for name in state["remote"]})
    return keys, states


async def _states(scenario: Scenario, remote: Remote, keys: list[str]) -> list[Any]:
    states: list[Any] = []

    async def nothing() -> None:
        pass

    async def done() -> None:
        states.append({"remote": stored(remote.store), "seen": await seen(remote, keys)})

    await scenario.prepare(Rig(None, remote, nothing))
    await done()
    await scenario.run(Rig(None, remote, done))
    return states


@dataclass
class Look:
    """At what is left in ``directory``. ``copy``: a directory to be made. ``keys``: what is looked at (BUCKET/KEY).
    ``uploads``: how many the remote may have that the queue does not know. ``fails``: whether operations may be refused.
    ``forgets``: whether the disk may have forgotten that a file was removed. ``holds``: with what keys begin that must not
    be at the remote before that start."""

    directory: Path
    copy: Path
    keys: list[str]
    uploads: int
    fails: bool = False
    forgets: bool = False
    holds: str | None = None

    async def at_next_start(self, remote: Remote) -> dict[str, Any]:
        """``seen``: what clients see before anything is pushed; ``remote``: what that has in the end; ``problems``."""
        problems = list(consistency.problems(self._as_left()))
        problems += self._forget_unknown_uploads(remote)
        if self.holds is not None:
            problems += [f"{name} was held" for name in stored(remote.store) if f"/{self.holds}" in name]
        queue = await opened(self.directory, remote)
        view = await seen(queue, self.keys)
        problems += [text async for text in self._push(queue)]
        state = {"remote": stored(remote.store), "seen": view, "problems": problems}
        problems += [f"an upload stays at the remote: {b.uploads}" for b in remote.store.buckets.values() if b.uploads]
        await _use(queue, remote)
        goes_on = any(view[f"uploads of {bucket}"] for bucket in BUCKETS)
        await queue.close()
        problems += consistency.leftovers(self.directory, uploads=goes_on)
        if self.forgets:  # it wastes room until fsck finds it, and harms nothing
            problems[:] = [text for text in problems if not text.endswith("belongs to nothing")]
        return state

    async def _push(self, queue: WriteQueue) -> AsyncIterator[str]:
        """Everything that waits. What is wrong with that."""
        queue.resume()
        if left := await queue.flush(20):
            yield f"{left} operations stay"
        if self.fails:
            await queue.retry(queue.page("failed", 0, 100))
            await queue.flush(20)
        for operation in queue.page(None, 0, 100):
            yield f"{operation.kind} of {operation.key!r} is {operation.state}: {operation.error}"
        async with asyncio.timeout(20):
            while consistency.remote_uploads(self.directory):
                await asyncio.sleep(0.01)

    def _as_left(self) -> Path:
        """A copy of the directory: looking at a database makes changes to it that belong to the next start."""
        shutil.rmtree(self.copy, ignore_errors=True)
        self.copy.mkdir()
        for path in self.directory.glob("queue.db*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, self.copy)
        for name in ("bodies", "incoming"):
            (self.copy / name).symlink_to(self.directory / name)
        return self.copy

    def _forget_unknown_uploads(self, remote: Remote) -> list[str]:
        """Those that were begun, and the queue was ended before it had written down their id: they stay at the remote until
        they are aborted there."""
        known, forgotten = consistency.remote_uploads(self.copy), 0
        for bucket in remote.store.buckets.values():
            for upload_id in bucket.uploads.keys() - known:
                del bucket.uploads[upload_id]
                forgotten += 1
        remote.save()
        return [] if forgotten <= self.uploads else [f"{forgotten} uploads are forgotten"]


async def _use(queue: WriteQueue, remote: Remote) -> None:
    """It works."""
    at = {"Bucket": "plain", "Key": "after"}
    await call(queue, "PutObject", at, _AFTER)
    await queue.flush(20)
    assert remote.store.buckets["plain"].objects["after"].data == _AFTER
    created = await call(queue, "CreateMultipartUpload", at)
    await call(queue, "AbortMultipartUpload", {**at, "UploadId": created["UploadId"]})


def verdict(found: dict[str, Any], states: list[Any], acknowledged: int, *, again: bool = False) -> list[str]:
    """What is wrong, if so many requests were acknowledged; the one after them may have happened. ``again``: see
    `Scenario`."""
    wrong: list[str] = found.pop("problems")
    may_be = states[acknowledged : acknowledged + 2]
    if again and len(may_be) == 2:
        uploads = {name: value for name, value in may_be[0]["seen"].items() if name.startswith("uploads of ")}
        may_be.append({"remote": may_be[1]["remote"], "seen": may_be[1]["seen"] | uploads})
    if found not in may_be:
        wrong += [f"not {state}" for state in (_difference(found, state) for state in may_be)]
    return wrong


def _difference(found: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    """Where the two differ: what it should be, and what was found."""
    return {
        f"{side}: {name}": (state[side].get(name), found[side].get(name))
        for side in ("remote", "seen")
        for name in sorted(state[side].keys() | found[side].keys())
        if state[side].get(name) != found[side].get(name)
    }
