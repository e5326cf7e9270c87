"""Kills a process while SQLite moves its log into the database, which no call of Python shows: the log is made so short
that each commit does it, and the parent kills when some operations were acknowledged.

Run as a program: ``crash_checkpoint.py DIRECTORY ROUNDS``; it prints what is wrong as JSON, a list of sentences.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from conformance.calling import call
from e2e.crash_points import in_child, opened
from e2e.crash_scenarios import put

from s3d.local import database
from s3d.standalone.fsck import check

_AT_MOST = 40  # operations of one round


def body(round_number: int, number: int) -> bytes:
    return f"{round_number} {number} ".encode() * 2000


async def write(directory: Path, round_number: int, writing: int) -> None:
    database._CHECKPOINT = 1
    store = await opened(directory)
    for number in range(_AT_MOST):
        await put(store, f"k{number}", body(round_number, number))
        os.write(writing, b".")
    await asyncio.Event().wait()


def kill_after(directory: Path, round_number: int, operations: int) -> int:
    """Operations that were acknowledged in the end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        asyncio.run(write(directory, round_number, writing))
    os.close(writing)
    acknowledged = 0
    with open(reading, "rb", 0) as pipe:
        while acknowledged < operations:
            acknowledged += len(pipe.read(1))
        os.kill(child, signal.SIGKILL)
        acknowledged += len(pipe.read())
    os.waitpid(child, 0)
    return acknowledged


async def look(directory: Path, round_number: int, acknowledged: int, writing: int) -> list[str]:
    """What is wrong. Keys after the acknowledged ones have what an earlier round left, but for one."""
    wrong: list[str] = []
    check(directory, wrong.append)
    store = await opened(directory)
    for number in range(acknowledged):
        found: dict[str, Any] = await call(store, "GetObject", {"Bucket": "plain", "Key": f"k{number}"})
        if found["Body"] != body(round_number, number):
            wrong.append(f"round {round_number}: k{number} of {acknowledged} is {found['Body'][:20]!r}")
    await store.close()
    return wrong


def main(directory: str, rounds: str) -> None:
    logging.disable()
    wrong: list[str] = []
    for number in range(int(rounds)):
        acknowledged = kill_after(Path(directory), number, random.randint(1, _AT_MOST - 1))
        status, said = in_child(partial(look, Path(directory), number, acknowledged))
        wrong += json.loads(said) if status == 0 else [f"round {number}: the next start fails"]
    json.dump(wrong, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
