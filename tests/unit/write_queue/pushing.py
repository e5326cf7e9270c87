"""Answers that a remote gives, and what tests of pushes look at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from unit.write_queue.opened import BUCKET
from unit.write_queue.test_engine import GONE, Running

from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable, S3Error, error_response
from s3d.s3.message import S3Request, S3Response
from s3d.write_queue.operation import Operation

LOST = RemoteUnreachable(GONE)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.01)


def answer(it: Running, operation: str, *responses: S3Response) -> None:
    """The next requests of that kind get these answers, and do not reach the remote."""
    inner, left = it.remote.inner, list(responses)

    async def scripted(request: S3Request) -> S3Response:
        return left.pop(0) if request.operation == operation and left else await inner(request)

    it.remote.inner = scripted  # type: ignore[assignment]  # as the engine sees it


def refused(code: str, *, head: bool = False) -> S3Response:
    return error_response(S3Error(code), resource="/", request_id="", head=head)


def bare(status: int) -> S3Response:
    """An answer to HEAD, which has no code."""
    return S3Response(status)


def current(it: Running, operation: Operation) -> Operation:
    found = it.queue.journal.find(operation.seq)
    assert found is not None
    return found


async def versions(it: Running, kind: str = "Versions") -> int:
    listed = await it.remote.inner(codec.build_request("ListObjectVersions", {"Bucket": BUCKET}))
    assert isinstance(listed.body, bytes)
    return len(codec.parse_response("ListObjectVersions", listed, listed.body).get(kind) or [])
