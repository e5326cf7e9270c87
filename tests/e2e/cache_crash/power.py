"""Cuts the power of a machine with a read cache, at many instants of one run.

Run as a program: ``power.py DIRECTORY LIBRARY CUTS SEED VARIANT``, with the compiled `unsynced.c`. It records a run, makes
of each instant a disk that a power cut can leave, and opens that as the next start does: each answer must be what the
remote alone would say then. VARIANT is ``right``, or what must be noticed: ``deaf``, a disk that ignores syncs after the
cache was filled, or ``blind``, a start that compares no checksums. Prints one JSON object, a `Report`.
"""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from e2e.cache_crash import record
from e2e.cache_crash.look import look
from e2e.cache_crash.scenarios import PART
from e2e.crash_points import Report, in_child
from e2e.directories import few_directories
from e2e.queue_crash.disk import Disk, records
from e2e.queue_crash.record import ACKNOWLEDGED, BEGUN
from e2e.queue_crash.remote import Remote
from model import multipart

from s3d.local import block_files
from s3d.read_cache import body

_KEPT: dict[str, Sequence[float]] = {"right": (0.0, 0.5, 0.9, 1.0), "deaf": (0.0,), "blind": (0.9,)}
"""How likely it is of what was not synced that the disk has it: what shows most of that which is to be noticed."""


class Run:
    """One run, and the cuts in it."""

    def __init__(self, root: Path, library: Path, seed: int, variant: str) -> None:
        self._root = root
        self._library = library
        self._variant = variant
        self._choose = random.Random(seed)
        self.report = Report()

    def run(self, cuts: int) -> None:
        trace, disk_path = self._root / "trace", self._root / "disk"
        disk_path.mkdir()
        env = {**os.environ, "LD_PRELOAD": str(self._library)}
        env |= {"UNSYNCED_ROOT": str(disk_path), "UNSYNCED_TRACE": str(trace)}
        command = [sys.executable, record.__file__, str(self._root)]
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True, timeout=120)
        pins: list[Any] = [[], *json.loads(done.stdout)]
        played = list(records(trace))
        begun = next(number for number, step in enumerate(played) if step.path == BEGUN)
        chosen = set(self._choose.sample(range(begun, len(played)), cuts))
        disk, acknowledged, remote = Disk(str(disk_path)), 0, ""
        for number, step in enumerate(played):
            if step.kind != "M":
                if not (self._variant == "deaf" and step.kind == "F" and number > begun):
                    disk.play(step)
            elif step.path == ACKNOWLEDGED:
                acknowledged += 1
            elif step.path != BEGUN:
                remote = step.path
            if number in chosen:
                self._cut(disk, f"record {number}, {acknowledged} acknowledged", remote, pins[acknowledged:][:2])
        assert acknowledged == len(pins) - 1

    def _cut(self, disk: Disk, name: str, remote: str, pins: list[Any]) -> None:
        kept = self._choose.choice(_KEPT[self._variant])
        name = f"{name}, {remote}, {kept:.0%} kept"
        self.report.points.append(name)
        used = self._root / "used"
        shutil.rmtree(used, ignore_errors=True)
        disk.image(used, self._choose, kept)
        shutil.copy(self._root / remote, used.with_suffix(".remote"))
        status, said = in_child(partial(self._look, used, pins))
        wrong = json.loads(said) if status == 0 else ["the next start fails"]
        self.report.wrong += [f"{name}: {text}" for text in wrong]

    async def _look(self, used: Path, pins: list[Any], writing: int) -> list[str]:
        if self._variant == "blind":
            body.damaged = _none_is_damaged  # type: ignore[assignment]  # the child's own module
        return await look(used / "cache", Remote(used.with_suffix(".remote")), {}, pins)


async def _none_is_damaged(*arguments: object) -> list[int]:
    return []


def main(root: str, library: str, cuts: str, seed: str, variant: str) -> None:
    logging.disable()
    multipart.MINIMUM_PART = len(PART)
    few_directories(block_files)
    run = Run(Path(root), Path(library), int(seed), variant)
    run.run(int(cuts))
    json.dump(asdict(run.report), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
