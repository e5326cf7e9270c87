"""What a start does with each operation of the last run: its bodies must be there, as long as they were.

Whether their bytes are what was accepted is looked at before they are sent or read (`s3d.write_queue.pushed_body`): here
that would take the time of reading the whole queue.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence

from s3d.local.bodies import Bodies, Segment
from s3d.s3.errors import S3Error
from s3d.write_queue.journal import Journal
from s3d.write_queue.operation import DELETE, FAILED, TAG, Operation
from s3d.write_queue.pushed_body import damage

log = logging.getLogger("s3d.write_queue")

_PAGE = 100


async def check_all(journal: Journal, bodies: Bodies) -> None:
    """Operations that cannot be used become ``failed``, and are told in the log. Goes on in the background."""
    checked = damaged = 0
    try:
        after, last = 0, journal.last()
        while after < last and (page := journal.page(None, after, _PAGE)):
            after = page[-1].seq
            for operation in page:
                checked += 1
                damaged += await _check(journal, bodies, operation)
            await asyncio.sleep(0)
    except (S3Error, OSError) as error:
        log.error("the operations of the last run could not be checked", extra={"error": str(error)})
    if damaged:
        told = {"operations": checked, "damaged": damaged}
        log.error("operations of the last run are damaged and kept: see s3d queue ls --state failed", extra=told)


async def _check(journal: Journal, bodies: Bodies, operation: Operation) -> bool:
    """Whether it was found damaged."""
    if operation.kind == TAG or operation.state == FAILED:
        return False
    version = journal.version(operation)
    if version is None:
        return await _fail(journal, operation, "the row of what is to be pushed is missing")
    if operation.kind == DELETE:
        return False
    segments = journal.segments(version)
    wrong = _wrong(segments, version.size) or await asyncio.to_thread(_wrong_files, bodies, segments)
    return wrong is not None and await _fail(journal, operation, wrong)


async def _fail(journal: Journal, operation: Operation, wrong: str) -> bool:
    """Whether it is still there: what was pushed meanwhile has no rows and files any more."""
    if journal.find(operation.seq) is None:
        return False
    await journal.fail(operation, damage(wrong).document())
    return True


def _wrong(segments: Sequence[Segment], size: int) -> str | None:
    """What is wrong with what the database says."""
    if sum(segment.size for segment in segments) != size:
        return "a body is missing"
    if any(segment.data is not None and len(segment.data) != segment.size for segment in segments):
        return "a body has another length than what was accepted"
    return None


def _wrong_files(bodies: Bodies, segments: Sequence[Segment]) -> str | None:
    for segment in segments:
        if segment.file is None:
            continue
        try:
            handle = bodies.open_file(segment.file)
        except FileNotFoundError:
            return "the file of a body is missing"
        try:
            if os.fstat(handle).st_size != segment.size:
                return "a body has another length than what was accepted"
        finally:
            os.close(handle)
    return None
