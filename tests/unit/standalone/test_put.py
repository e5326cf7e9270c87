"""PutObject beneath the conformance suite: what it leaves in the store, and what it leaves alone."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from conformance.calling import Refused, call
from unit.standalone import opened
from unit.standalone.opened import BUCKET

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.standalone.backend import Standalone
from s3d.standalone.put import MAX_SIZE
from s3d.standalone.store import Store

backend, directory, store = opened.backend, opened.directory, opened.store
AT = {"Bucket": BUCKET, "Key": "k"}
LARGE = b"l" * 300_000


class Endless:
    """A body that declares a length and brings nothing."""

    replayable = False

    def __init__(self, length: int) -> None:
        self.length = length
        self.asked = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.asked = True
        await asyncio.Event().wait()
        yield b""


def request(body: Any, **more: Any) -> Any:
    found = codec.build_request("PutObject", AT | more)
    found.body = body
    return found


async def removed(store: Store) -> None:
    """Waits until a thread has removed what was refused."""
    async with asyncio.timeout(10):
        while os.listdir(store.bodies.incoming):
            await asyncio.sleep(0.01)


async def get(backend: Standalone) -> bytes:
    found: bytes = (await call(backend, "GetObject", AT))["Body"]
    return found


@pytest.mark.parametrize("body", [b"", b"x", LARGE])
async def test_what_is_put_is_there(backend: Standalone, store: Store, body: bytes) -> None:
    answer = await call(backend, "PutObject", AT, body)
    md5 = hashlib.md5(body).hexdigest()
    assert answer["ETag"] == f'"{md5}"'
    assert await get(backend) == body
    row = store.reader.execute("SELECT etag, size, body IS NULL, upload, version FROM object").fetchone()
    assert row == (md5, len(body), not body, None, None)


async def test_an_answer_names_the_version_only_while_they_are_enabled(backend: Standalone) -> None:
    assert "VersionId" not in await call(backend, "PutObject", AT, b"x")
    for status, named in (("Enabled", True), ("Suspended", False)):
        configuration = {"Bucket": BUCKET, "VersioningConfiguration": {"Status": status}}
        await call(backend, "PutBucketVersioning", configuration)
        assert ("VersionId" in await call(backend, "PutObject", AT, b"x")) is named


@pytest.mark.parametrize("body", [b"new", LARGE])
@pytest.mark.parametrize(
    "members",
    [
        {"IfNoneMatch": "*"},
        {"IfMatch": '"x"'},
        {"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="},
        {"ChecksumCRC32": "AAAAAA=="},
    ],
)
async def test_what_is_refused_leaves_the_old_one(backend: Standalone, store: Store, members: Any, body: bytes) -> None:
    await call(backend, "PutObject", AT, b"old")
    with pytest.raises(Refused):
        await call(backend, "PutObject", AT | members, body)
    assert await get(backend) == b"old"
    await removed(store)
    assert store.reader.execute("SELECT count(*) FROM body").fetchone() == (1,)


@pytest.mark.parametrize(
    ("more", "length", "code"),
    [
        ({"Bucket": "absent"}, 10, "NoSuchBucket"),
        ({}, MAX_SIZE + 1, "EntityTooLarge"),
        ({"StorageClass": "X"}, 5, "Inv"),
    ],
)
async def test_refused_before_the_body_is_taken(backend: Standalone, more: Any, length: int, code: str) -> None:
    body = Endless(length)
    with pytest.raises(S3Error, match=code):
        await backend(request(body, **more))
    assert not body.asked


async def test_a_client_that_goes_away(backend: Standalone, store: Store) -> None:
    putting = asyncio.gather(backend(request(Endless(300_000))))
    await asyncio.sleep(0)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert store.reader.execute("SELECT count(*) FROM object").fetchone() == (0,)


async def test_a_bucket_that_is_deleted_while_the_body_comes(backend: Standalone, store: Store) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    class Slow:
        length, replayable = len(LARGE), False

        async def __aiter__(self) -> AsyncIterator[bytes]:
            arrived.set()
            await go.wait()
            yield LARGE

    putting = asyncio.gather(backend(request(Slow())))
    await arrived.wait()
    await call(backend, "DeleteBucket", {"Bucket": BUCKET})
    go.set()
    with pytest.raises(S3Error, match="NoSuchBucket"):
        await putting
    await removed(store)


async def test_one_of_many_conditional_writes_wins(backend: Standalone) -> None:
    bodies = [b"%d" % number * (1 if number % 2 else 100_000) for number in range(10)]
    puts = [call(backend, "PutObject", AT | {"IfNoneMatch": "*"}, body) for body in bodies]
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    winners = [body for body, outcome in zip(bodies, outcomes, strict=True) if isinstance(outcome, dict)]
    assert [await get(backend)] == winners
