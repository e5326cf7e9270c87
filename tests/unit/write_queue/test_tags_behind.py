"""Tags that wait behind an object that is put off, refused, replaced or dropped: whose they are, what they hold up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import call
from unit.write_queue.opened import BUCKET
from unit.write_queue.pushing import until
from unit.write_queue.test_engine import Running, running

from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.write_queue.operation import Operation, Pushed

AT = {"Bucket": BUCKET, "Key": "k"}
REFUSED = {"code": "InvalidArgument"}
WHEN = pytest.mark.parametrize("when", ["before", "after"])


def tagging(value: str) -> dict[str, Any]:
    return {"Key": "k", "Tagging": {"TagSet": [{"Key": "t", "Value": value}]}}


async def remote_tags(it: Running, **version: str) -> dict[str, str]:
    found = await call(it.remote.inner, "GetObjectTagging", AT | version)
    return {tag["Key"]: tag["Value"] for tag in found["TagSet"]}


async def tagged_while_pushed(it: Running, value: str) -> Operation:
    """A put that is being pushed, with tags behind it."""
    operation = await it.queue.put("k", b"one")
    await it.queue.journal.begin(operation)
    await it.queue.do("PutObjectTagging", tagging(value))
    return operation


@pytest.mark.parametrize("versioning", ["", "Enabled", None])
async def test_tags_refused_while_a_new_object_waits_do_not_hold_it(tmp_path: Path, versioning: str | None) -> None:
    async with running(tmp_path, versioning=versioning, start=False) as it:
        await tagged_while_pushed(it, "x")
        go = asyncio.Event()
        send = it.remote.inner

        class Refusing:
            async def __call__(self, request: S3Request) -> S3Response:
                if request.operation == "PutObjectTagging":
                    await go.wait()
                    raise S3Error("AccessDenied")
                return await send(request)

        it.remote.inner = Refusing()  # type: ignore[assignment]  # a Backend is enough
        it.engine.start()
        await until(lambda: ("k", "tag", "pushing") in it.queue.states())
        await it.queue.put("k", b"two")
        it.engine.wake()
        go.set()
        await it.drained()
        it.remote.inner = send
        assert await it.remote.stored("k") == b"two"


@pytest.mark.parametrize("versioning", ["", "Enabled"])
async def test_of_an_object_that_is_put_off_the_newest_tags_count(
    tmp_path: Path, versioning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda times: 0.3)
    async with running(tmp_path, versioning=versioning, start=False) as it:
        operation = await tagged_while_pushed(it, "old")
        await it.queue.journal.put_off(operation, REFUSED, 0, ambiguous=False)
        await it.queue.do("PutObjectTagging", tagging("new"))
        it.engine.start()
        await it.drained()
        assert await remote_tags(it) == {"t": "new"}


async def test_of_an_object_that_is_tried_again_the_newest_tags_count(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        operation = await tagged_while_pushed(it, "old")
        await it.queue.journal.fail(operation, REFUSED)
        await it.queue.do("PutObjectTagging", tagging("new"))
        await it.queue.journal.retry(operation)
        it.engine.start()
        await it.drained()
        assert await remote_tags(it) == {"t": "new"}


@WHEN
async def test_those_of_a_refused_object_are_no_others(tmp_path: Path, when: str) -> None:
    async with running(tmp_path, versioning="Enabled", start=False) as it:
        older = (await call(it.remote.inner, "PutObject", AT | {"Tagging": "t=older"}, b"zero"))["VersionId"]
        await refused_and_replaced(it, when)
        assert await remote_tags(it, VersionId=older) == {"t": "older"}
        assert await it.remote.stored("k") == b"two"
        assert await remote_tags(it) == {}


@WHEN
async def test_those_of_a_refused_object_do_not_hold_the_next(tmp_path: Path, when: str) -> None:
    async with running(tmp_path, versioning="Enabled", start=False) as it:
        await refused_and_replaced(it, when)
        assert await it.remote.stored("k") == b"two"


async def refused_and_replaced(it: Running, when: str) -> None:
    """A tagged object that is refused before or after the next one is accepted; then all is pushed."""
    operation = await tagged_while_pushed(it, "of one")
    if when == "before":
        await it.queue.put("k", b"two")
    await it.queue.journal.fail(operation, REFUSED)
    if when == "after":
        await it.queue.put("k", b"two")
    it.engine.start()
    await it.drained()


async def test_dropping_what_was_replaced_leaves_those_of_its_successor(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        journal = it.queue.journal
        replaced = await it.queue.put("k", b"one")
        await journal.begin(replaced)
        await journal.fail(replaced, REFUSED)
        successor = await it.queue.put("k", b"two")
        await journal.begin(successor)
        await call(it.remote.inner, "PutObject", AT, b"two")
        await it.queue.do("PutObjectTagging", tagging("of two"))
        await journal.done(successor, Pushed())
        assert await journal.drop(replaced)
        it.engine.start()
        await it.drained()
        assert await remote_tags(it) == {"t": "of two"}


async def test_tags_are_not_dropped_alone_while_their_object_waits(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        operation = await tagged_while_pushed(it, "x")
        tag = it.queue.newest()
        assert not await it.queue.journal.drop(tag)
        assert await it.queue.journal.drop(operation)
        assert it.queue.states() == []


async def test_an_object_that_is_seen_again_has_its_last_tags(tmp_path: Path) -> None:
    async with running(tmp_path, versioning="", start=False) as it:
        operation = await it.queue.put("k", b"one", x_amz_tagging="t=first")
        await it.queue.journal.begin(operation)
        await call(it.remote.inner, "PutObject", AT | {"Tagging": "t=first"}, b"one")
        await it.queue.do("DeleteObjectTagging", {"Key": "k"})
        await it.queue.put("k", b"two")
        await it.queue.do("DeleteObject", {"Key": "k"})
        assert await it.queue.journal.drop(it.queue.newest())
        it.engine.start()
        await it.drained()
        assert await it.remote.stored("k") == b"one"
        assert await remote_tags(it) == {}
