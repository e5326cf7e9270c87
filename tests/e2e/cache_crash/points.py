"""Ends a process that uses the read cache, or the machine, at every point where something reaches the disk or the remote.

The points are those of `e2e.crash_points`, halves of blocks that are written, and for each request to the remote: before it
is sent, in the middle of its body, and after it was done, before its answer is known. After the end the next start
opens what is left. Each answer must be what the remote alone would say then.

Run as a program: ``points.py SCENARIO DIRECTORY STEP``; it takes each STEP-th point and prints one JSON object, a `Report`.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from conformance.calling import call
from e2e.cache_crash.look import look, seen
from e2e.cache_crash.rig import BUCKET, Rig, opened
from e2e.cache_crash.scenarios import OBJECTS, PART, SCENARIOS, Scenario
from e2e.crash_points import Points, Report, in_child
from e2e.directories import few_directories
from e2e.queue_crash.remote import Remote
from model import multipart

from s3d.local import block_files

_LIMIT = 3000  # points of one scenario; more means that it does not end


class CachePoints(Points):
    """Also those of blocks. ``power``: of each file that was written and not synced only the first half is left."""

    def __init__(self, fatal: int | str, directory: Path, *, power: bool) -> None:
        super().__init__(fatal, directory, power=power)
        self._real["pwrite"] = os.pwrite
        self._real["replace"] = os.replace

    def _pwrite(self, handle: int, data: Any, offset: int) -> int:
        if self._disk is not None:
            self._disk.dirty.add(os.readlink(f"/proc/self/fd/{handle}"))
        view = memoryview(data)
        half = len(view) // 2
        self.at("before pwrite")
        self._real["pwrite"](handle, view[:half], offset)
        self.at("in the middle of pwrite")
        self._real["pwrite"](handle, view[half:], offset + half)
        self.at("after pwrite")
        return len(view)

    def _replace(self, path: Any, to: Any) -> None:
        self._around("replace", path, to)


class Run:
    """One scenario."""

    def __init__(self, scenario: Scenario, root: Path) -> None:
        self._scenario = scenario
        self._base, self._used = root / "base", root / "used"
        self._older: dict[str, Any] = {}
        self._pins: list[Any] = []
        self.report = Report()

    def run(self, step: int) -> None:
        status, said = in_child(self._prepare)
        assert status == 0, f"the preparation failed: {said}"
        self._older = {key: [found] for key, found in json.loads(said).items()}
        self._scenario.left(self._base)
        self._copy()
        status, said = in_child(self._reference)
        assert status == 0, f"the scenario failed: {said}"
        self._pins = json.loads(said)
        for power in (False, True):
            for fatal in range(1 + power * step // 2, _LIMIT, step):
                if not self._end_at(fatal, power=power):
                    break
        for name in self._scenario.passes - set(self.report.points):
            self._end_at(name, power=False)  # tasks and threads change the order: the n-th is not always the same

    async def _prepare(self, writing: int) -> Any:
        """What clients are told of keys that somebody else will change."""
        remote = Remote(self._base.with_suffix(".remote"))
        await call(remote, "CreateBucket", {"Bucket": BUCKET})
        for key, body in OBJECTS.items():
            await call(remote, "PutObject", {"Bucket": BUCKET, "Key": key, "Metadata": {"n": key}}, body)
        self._base.mkdir()
        if not self._scenario.fresh:
            cache = await opened(self._base, remote)
            await self._scenario.prepare(Rig(cache, remote, _nothing))
            await cache.close()
        return {key: await seen(remote, key) for key in self._scenario.older}

    def _end_at(self, fatal: int | str, *, power: bool) -> bool:
        """Whether there is such a point."""
        self._copy()
        status, acknowledged = in_child(partial(self._die, fatal, power))
        if status == 0:
            return False
        name = Path(f"{self._used}.point").read_text()
        if not os.WIFSIGNALED(status):
            self.report.wrong.append(f"{name}: the scenario failed with {status}")
            return True
        self.report.points.append(name)
        status, said = in_child(partial(self._look, len(acknowledged)))
        wrong = json.loads(said) if status == 0 else [f"the next start fails: {said}"]
        self.report.wrong += [f"{'power ' if power else ''}{name}: {text}" for text in wrong]
        return True

    def _copy(self) -> None:
        shutil.rmtree(self._used, ignore_errors=True)
        shutil.copytree(self._base, self._used)
        shutil.copy(self._base.with_suffix(".remote"), self._used.with_suffix(".remote"))

    async def _reference(self, writing: int) -> list[Any]:
        """What is pinned after each acknowledged request."""
        cache = await opened(self._used, Remote(self._used.with_suffix(".remote")), **self._scenario.config)
        states = [cache.pins()]

        async def done() -> None:
            states.append(cache.pins())

        await self._scenario.run(Rig(cache, cache._inner, done))  # type: ignore[arg-type]  # it is that remote
        await cache.close()
        return states

    async def _die(self, fatal: int | str, power: bool, writing: int) -> None:
        points = CachePoints(fatal, self._used, power=power)
        points.install()
        remote = Remote(self._used.with_suffix(".remote"), points.at)
        cache = await opened(self._used, remote, **self._scenario.config)

        async def done() -> None:
            os.write(writing, b".")

        await cache._tasks[0]
        await self._scenario.run(Rig(cache, remote, done))
        await cache.close()

    async def _look(self, acknowledged: int, writing: int) -> list[str]:
        pins = self._pins[acknowledged : acknowledged + 2]
        remote = Remote(self._used.with_suffix(".remote"))
        return await look(self._used, remote, self._older, pins, aside=self._scenario.damaged)


async def _nothing() -> None:
    pass


def main(scenario: str, root: str, step: str) -> None:
    logging.disable()
    multipart.MINIMUM_PART = len(PART)
    few_directories(block_files)
    run = Run(SCENARIOS[scenario], Path(root))
    run.run(int(step))
    json.dump(asdict(run.report), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
