"""Whose the objects are that wait: in lists with nothing of the remote that says it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import call
from model.owner import OWNER
from unit.write_queue.test_engine import Faulty

from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.config import WriteQueueConfig


@pytest.fixture
async def remote() -> Faulty:
    remote = Faulty()
    await remote.inner(codec.build_request("CreateBucket", {"Bucket": "bucket"}))
    return remote


@pytest.fixture
async def queue(tmp_path: Path, remote: Faulty) -> AsyncIterator[WriteQueue]:
    """One object waits, and the remote has none."""
    queue = WriteQueue(WriteQueueConfig(tmp_path / "queue", free_space=0, offline_list="local"), remote)
    await queue.open()
    queue.pause()
    await call(queue, "PutObject", {"Bucket": "bucket", "Key": "k"}, b"pending")
    yield queue
    await queue.close()


async def owners(queue: WriteQueue, operation: str = "ListObjects", **members: Any) -> list[Any]:
    found = await call(queue, operation, {"Bucket": "bucket", **members})
    return [entry.get("Owner") for entry in found["Contents"]]


@pytest.mark.parametrize(("operation", "members"), [("ListObjects", {}), ("ListObjectsV2", {"FetchOwner": True})])
async def test_the_remote_is_asked_once(
    queue: WriteQueue, remote: Faulty, operation: str, members: dict[str, Any]
) -> None:
    for _ in range(2):
        assert await owners(queue, operation, **members) == [OWNER]
    assert len([r for r in remote.seen if r.operation == "ListBuckets"]) == 1


async def test_who_does_not_want_to_know_costs_no_question(queue: WriteQueue, remote: Faulty) -> None:
    assert await owners(queue, "ListObjectsV2") == [None]
    assert not [r for r in remote.seen if r.operation == "ListBuckets"]


async def test_what_was_known_last_counts_while_the_remote_is_away(queue: WriteQueue, remote: Faulty) -> None:
    await call(queue, "ListBuckets", {})
    await call(queue, "PutObject", {"Bucket": "bucket", "Key": "l"}, b"pending")  # the list goes with this transaction

    def away(request: S3Request) -> None:
        raise RemoteUnreachable("The remote S3 is away: test")

    remote.before = away
    assert await owners(queue) == [OWNER, OWNER]


async def test_a_remote_that_does_not_say_it_leaves_it_out(queue: WriteQueue, remote: Faulty) -> None:
    def refuse(request: S3Request) -> None:
        if request.operation == "ListBuckets":
            raise S3Error("AccessDenied")

    remote.before = refuse
    assert await owners(queue) == [None]
    remote.before = lambda request: None
    assert await owners(queue) == [OWNER]
