"""Cuts the power of a machine with a write queue, at many instants of one run.

Run as a program: ``power.py DIRECTORY LIBRARY CUTS SEED [deaf]``, with the compiled `unsynced.c`. It records a run, makes
of each instant a disk that a power cut can leave, and opens that as the next start does. Half of the instants are those
right after an acknowledgement. A disk that is deaf ignores syncs. Prints one JSON object, a `Report`.
"""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import subprocess
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from e2e.crash_points import Report, in_child
from e2e.queue_crash import record
from e2e.queue_crash.disk import Disk, Record, records
from e2e.queue_crash.look import Look, alone, hurry, verdict
from e2e.queue_crash.remote import Remote
from e2e.queue_crash.scenarios import EVERYTHING

_KEPT = (0.0, 0.5, 0.9)
"""How likely it is of what was not synced that the disk has it."""


class Run:
    """One run, and the cuts in it."""

    def __init__(self, root: Path, library: Path, seed: int, *, deaf: bool) -> None:
        self._root = root
        self._library = library
        self._deaf = deaf
        self._choose = random.Random(seed)
        self._keys: list[str] = []
        self._states: list[Any] = []
        self.report = Report()

    def run(self, cuts: int) -> None:
        status, said = in_child(self._alone)
        assert status == 0
        self._keys, self._states = json.loads(said)
        played = self._record()
        chosen = self._instants(played, cuts)
        disk, acknowledged, remote = Disk(str(self._root / "disk")), 0, "remote.0"
        for number, step in enumerate(played):
            if step.kind != "M":
                if not (self._deaf and step.kind == "F"):
                    disk.play(step)
            elif step.path == record.ACKNOWLEDGED:
                acknowledged += 1
            elif step.path != record.BEGUN:
                remote = step.path
            if number in chosen:
                self._cut(disk, number, acknowledged, remote)
        assert acknowledged == len(self._states) - 1

    async def _alone(self, writing: int) -> Any:
        return await alone(EVERYTHING, self._root / "alone")

    def _record(self) -> list[Record]:
        trace, disk = self._root / "trace", self._root / "disk"
        disk.mkdir()
        env = {**os.environ, "LD_PRELOAD": str(self._library), "UNSYNCED_ROOT": str(disk), "UNSYNCED_TRACE": str(trace)}
        subprocess.run([sys.executable, record.__file__, str(self._root)], env=env, check=True, timeout=120)
        return list(records(trace))

    def _instants(self, played: list[Record], cuts: int) -> set[int]:
        """Numbers of the records behind which the power is cut."""
        marks = [number for number, step in enumerate(played) if step.path == record.ACKNOWLEDGED]
        begun = next(number for number, step in enumerate(played) if step.path == record.BEGUN)
        chosen = set(self._choose.sample(marks, min(len(marks), cuts // 2)))
        return chosen | set(self._choose.sample(range(begun, len(played)), cuts - len(chosen)))

    def _cut(self, disk: Disk, number: int, acknowledged: int, remote: str) -> None:
        kept = self._choose.choice(_KEPT)
        name = f"record {number}, {acknowledged} acknowledged, {remote}, {kept:.0%} kept"
        self.report.points.append(name)
        used = self._root / "used"
        shutil.rmtree(used, ignore_errors=True)
        disk.image(used, self._choose, kept)
        shutil.copy(self._root / remote, used.with_suffix(".remote"))
        status, said = in_child(partial(self._look, used))
        if status != 0:
            self.report.wrong.append(f"{name}: the next start fails")
            return
        self.report.wrong += [f"{name}: {text}" for text in verdict(json.loads(said), self._states, acknowledged)]

    async def _look(self, used: Path, writing: int) -> Any:
        look = Look(used / "queue", self._root / "left", self._keys, EVERYTHING.uploads, forgets=True)
        return await look.at_next_start(Remote(used.with_suffix(".remote")))


def main(root: str, library: str, cuts: str, seed: str, *options: str) -> None:
    logging.disable()
    hurry()
    run = Run(Path(root), Path(library), int(seed), deaf="deaf" in options)
    run.run(int(cuts))
    json.dump(asdict(run.report), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
