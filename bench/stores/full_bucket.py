"""s3d with a million objects in a bucket against s3d with a thousand: what they do to speed, memory and disk."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

import procfs
from contender import Contender, request
from job import Job, Outcome, Prepared
from objects import READ_BUCKET, puts
from rounds import Generator, Result, generator, run_rows
from row import KIB, Row
from signing import signed_head
from stores import listed
from stores.launches import running
from stores.tables import compared

_FEW = 1024  # objects in the bucket that counts as empty, and keys that the rows read and write
_SIZE = 4 * KIB

_ROWS = (
    Row("GET", _SIZE, 1),
    Row("GET", _SIZE, 16),
    Row("PUT", _SIZE, 1),
    Row("PUT", _SIZE, 16),
    Row("LIST", 0, 1, minimum=16, label="LIST page"),
)


class _Plan:
    """``rounds.Plan`` of four contenders: two daemons, and two views of the one with the full bucket.

    In both buckets the rows use the same number of keys, in the full one spread all over it; PUTs replace objects.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def measure(self, row: Row, contender: Contender, load: Generator, scale: float) -> Outcome | None:
        if contender.name not in compared(row):
            return None
        requests = self._requests(row, contender)
        return load.run(
            Job(
                contender.url,
                requests,
                row.connections,
                seconds=row.seconds * scale,
                minimum=row.minimum,
                check_first=1,
                processes={"server": contender.pid},
            )
        )

    def _requests(self, row: Row, contender: Contender) -> list[Prepared]:
        url = contender.url
        if row.operation == "LIST":
            after = self._count - listed.PAGE if contender.name == "last page" else 0
            return [listed.page(url, after, bucket=READ_BUCKET)]
        step = self._count // _FEW if contender.name == "full" else 1
        paths = [f"/{READ_BUCKET}/{listed.name(index * step)}" for index in range(_FEW)]
        if row.operation == "GET":
            return [Prepared(signed_head(url, "GET", path), length=_SIZE) for path in paths]
        return puts(paths, row, url, b"x" * _SIZE)[0]


def measure_full_bucket(chosen: argparse.Namespace, root: Path) -> tuple[list[Result], dict[str, Any]]:
    """The rows, and facts about memory and disk."""
    count: int = chosen.million
    facts: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        load = stack.enter_context(generator())
        for name, objects in (("empty", _FEW), ("full", count)):
            with running("s3d", root / name) as (filled, _):
                seconds = _fill(filled.url, objects, load)
                resident = procfs.resident_bytes(filled.pid)
        facts[f"filling it with {count:,} objects of 4 KiB, 16 connections"] = f"{seconds:.0f} s"
        facts["resident memory after that"] = _megabytes(resident)
        # Both start anew, so that neither is ahead in what it has in memory or has not yet tidied up.
        empty, _ = stack.enter_context(running("s3d", root / "empty"))
        full, seconds = stack.enter_context(running("s3d", root / "full"))
        facts["start to first answer"] = f"{seconds:.3f} s"
        facts["resident memory after the start"] = _megabytes(procfs.resident_bytes(full.pid))
        views = [Contender(name, full.url, full.pid) for name in ("first page", "last page")]
        contenders = [Contender("empty", empty.url, empty.pid), Contender("full", full.url, full.pid), *views]
        rounds = max(chosen.rounds, 5)
        results = run_rows(list(_ROWS), contenders, _Plan(count), load, rounds=rounds, scale=chosen.seconds)
        facts["resident memory after the rows"] = _megabytes(procfs.resident_bytes(full.pid))
        facts["the same with the almost empty bucket"] = _megabytes(procfs.resident_bytes(empty.pid))
    facts |= _disk(root / "full" / "data", count)
    print(f"full bucket: {facts}", file=sys.stderr, flush=True)
    return results, facts


def _fill(url: str, count: int, load: Generator) -> float:
    """Makes the bucket and so many objects in it; the seconds that the objects took."""
    status, answer = request(url, "PUT", f"/{READ_BUCKET}")
    if status != 200:
        raise RuntimeError(f"CreateBucket: {status} {answer[:500]!r}")
    return listed.fill(url, count, load, bucket=READ_BUCKET, size=_SIZE)


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB"


def _disk(directory: Path, count: int) -> dict[str, str]:
    """What the store takes on disk, and how much of it is the database."""
    total = database = files = 0
    for file in (path for path in directory.rglob("*") if path.is_file()):
        allocated = file.stat().st_blocks * 512
        total += allocated
        files += 1
        with file.open("rb") as opened:
            database += allocated if opened.read(15) == b"SQLite format 3" else 0
    content = count * _SIZE
    return {
        "content of the objects": _megabytes(content),
        "on disk, all": f"{_megabytes(total)} in {files:,} files",
        "on disk, database": _megabytes(database),
        "on disk, besides the content": f"{(total - content) / count:,.0f} bytes an object",
    }
