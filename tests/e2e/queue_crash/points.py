"""Ends a process that uses the write queue at every point where something reaches the disk or the remote.

The points are those of `e2e.crash_points`, and for each request to the remote: before it is sent, in the middle of its
body, and after it was done, before its answer is known. After the end the next start opens what is left and pushes it. What
clients see before that, and what the remote has after it, must be what the acknowledged requests would have made of
the remote alone; the one that was under way may have happened or not.

Some ends are followed by another in the start after it.

Run as a program: ``points.py SCENARIO DIRECTORY STEP``; it takes each STEP-th point and prints one JSON object, a `Report`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from e2e.crash_points import Points, Report, in_child
from e2e.directories import few_directories
from e2e.queue_crash.look import Look, alone, empty, hurry, verdict
from e2e.queue_crash.remote import Remote
from e2e.queue_crash.rig import Rig, opened
from e2e.queue_crash.scenarios import SCENARIOS, Scenario

from s3d.local import receive

_LIMIT = 5000  # points of one scenario; more means that it does not end
_AGAIN, _STARTS = 3, 40
"""Each third end is followed by another, at one of the first forty points of the start."""


class Run:
    """One scenario."""

    def __init__(self, scenario: Scenario, root: Path) -> None:
        self._scenario = scenario
        self._base, self._used, self._left = root / "base", root / "used", root / "left"
        self._ends = 1
        self._keys: list[str] = []
        self._states: list[Any] = []
        self.report = Report()

    def run(self, step: int) -> None:
        self._keys, self._states = asyncio.run(alone(self._scenario, self._base.with_suffix(".alone")))
        asyncio.run(self._prepare())  # in this process, so that its children find everything imported and compiled
        for number, fatal in enumerate(range(1, _LIMIT, step), 1):
            if not self._end_at(fatal, again=number % _AGAIN == 0):
                break
        for name in self._scenario.passes - {point.partition(", then ")[0] for point in self.report.points}:
            self._end_at(name, again=False)  # tasks and threads change the order: the n-th is not always the same

    async def _prepare(self) -> None:
        remote = await empty(Remote(self._base.with_suffix(".remote")))
        if self._scenario.fresh:
            return

        async def done() -> None:
            pass

        queue = await opened(self._base, remote, self._scenario.only)
        await self._scenario.prepare(Rig(queue, remote, done))
        await queue.close()

    def _end_at(self, fatal: int | str, *, again: bool) -> bool:
        """Whether there is such a point."""
        self._copy()
        status, said = in_child(partial(self._die, fatal))
        if status == 0:
            return False
        name = self._point()
        if not os.WIFSIGNALED(status):
            self.report.wrong.append(f"{name}: the scenario failed with {status}")
            return True
        self._ends = 1
        if again:
            status, _ = in_child(partial(self._start_and_die, len(self.report.points) % _STARTS + 1))
            if os.WIFSIGNALED(status):
                name += f", then {self._point()}"
                self._ends = 2
            elif status:
                self.report.wrong.append(f"{name}: the start after it failed with {status}")
        self.report.points.append(name)
        self.report.wrong += [f"{name} ({len(said)} acknowledged): {text}" for text in self._look(len(said))]
        return True

    def _copy(self) -> None:
        """The directory as it was prepared. Its 256 directories stay: making them anew takes longer than all the rest."""
        if not self._base.exists():
            shutil.rmtree(self._used, ignore_errors=True)
        elif not self._used.exists():
            shutil.copytree(self._base, self._used)
        else:
            for directory, _, names in os.walk(self._used):
                for name in names:
                    os.unlink(f"{directory}/{name}")
            for directory, _, names in os.walk(self._base):
                for name in names:
                    shutil.copy(f"{directory}/{name}", directory.replace(str(self._base), str(self._used), 1))
        shutil.copy(self._base.with_suffix(".remote"), self._used.with_suffix(".remote"))

    def _point(self) -> str:
        return Path(f"{self._used}.point").read_text()

    def _installed(self, fatal: int | str) -> Remote:
        """The points, from now on in this process."""
        points = Points(fatal, self._used, power=False)
        points.install()
        return Remote(self._used.with_suffix(".remote"), points.at)

    async def _die(self, fatal: int | str, writing: int) -> None:
        remote = self._installed(fatal)

        async def done() -> None:
            os.write(writing, b".")

        queue = await opened(self._used, remote, self._scenario.only)
        await self._scenario.run(Rig(queue, remote, done))
        await queue.close()

    async def _start_and_die(self, fatal: int, writing: int) -> None:
        queue = await opened(self._used, self._installed(fatal), self._scenario.only)
        queue.resume()
        await queue.flush(20)
        await queue.close()

    def _look(self, acknowledged: int) -> list[str]:
        """What is wrong with what is left, opened as the next start does it."""
        status, said = in_child(self._state)
        if status != 0:
            return [f"the next start fails: {said}"]
        return verdict(json.loads(said), self._states, acknowledged, again=self._scenario.again)

    async def _state(self, writing: int) -> Any:
        uploads = self._scenario.uploads * self._ends
        scenario = self._scenario
        look = Look(self._used, self._left, self._keys, uploads, fails=scenario.fails, holds=scenario.holds)
        return await look.at_next_start(Remote(self._used.with_suffix(".remote")))


def main(scenario: str, root: str, step: str) -> None:
    logging.disable()
    few_directories(receive)
    hurry()
    run = Run(SCENARIOS[scenario], Path(root))
    run.run(int(step))
    json.dump(asdict(run.report), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
