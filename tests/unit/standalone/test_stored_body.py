"""Stored bodies as bodies of requests."""

from __future__ import annotations

import asyncio
import hashlib
import os

import pytest
from conformance.calling import call
from unit.standalone import opened
from unit.standalone.opened import BUCKET
from unit.standalone.uploading import PART, put_in_parts

from s3d.s3.errors import S3Error
from s3d.standalone import history
from s3d.standalone.backend import Standalone
from s3d.standalone.checksums import BY_NAME
from s3d.standalone.store import Store
from s3d.standalone.stored_body import StoredBody, digest, stored_body
from s3d.standalone.version import Version

backend, directory, store = opened.backend, opened.directory, opened.store
K = {"Bucket": BUCKET, "Key": "k"}
LARGE = PART[: 2 << 20] + b"rest"


def _version(store: Store) -> Version:
    found = history.current(store.reader, store.bucket(BUCKET), b"k")
    assert found is not None
    return found


async def _read(body: StoredBody) -> bytes:
    async with body:
        pieces = [piece async for piece in body]
    assert all(0 < len(piece) <= 1 << 20 for piece in pieces)
    return b"".join(pieces)


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.mark.parametrize("data", [b"", b"inline", LARGE], ids=["empty", "inline", "file"])
async def test_one_body(backend: Standalone, store: Store, data: bytes) -> None:
    await call(backend, "PutObject", K, data)
    body = stored_body(store, _version(store), 0, len(data))
    assert (body.length, body.replayable) == (len(data), False)
    assert await _read(body) == data
    part = stored_body(store, _version(store), 1, max(len(data) - 2, 0))
    assert await _read(part) == data[1:-1]


async def test_several_bodies(backend: Standalone, store: Store) -> None:
    await put_in_parts(backend, "k", PART, PART[::-1], b"tail")
    whole = PART + PART[::-1] + b"tail"
    files = _open_files()
    for offset, length in ((0, len(whole)), (1, len(PART)), (len(PART) - 1, len(PART) + 3), (len(whole) - 4, 4)):
        body = stored_body(store, _version(store), offset, length)
        assert await _read(body) == whole[offset : offset + length]
    assert (_open_files(), +store.bodies._pins) == (files, {})


async def test_what_is_not_read_is_closed(backend: Standalone, store: Store) -> None:
    files = _open_files()
    await call(backend, "PutObject", K, LARGE)
    async with stored_body(store, _version(store), 0, len(LARGE)):
        pass
    await put_in_parts(backend, "k", PART, PART[::-1])
    async with stored_body(store, _version(store), 0, 2 * len(PART)):
        assert store.bodies._pins
    async with stored_body(store, _version(store), 0, 2 * len(PART)) as body:
        await anext(aiter(body))
    assert (_open_files(), +store.bodies._pins) == (files, {})


async def test_whoever_stops_leaves_nothing_open(backend: Standalone, store: Store) -> None:
    await put_in_parts(backend, "k", PART, PART[::-1])
    files = _open_files()

    async def read() -> None:
        async with stored_body(store, _version(store), 0, 2 * len(PART)) as body:
            async for _ in body:
                started.set()

    started = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read())
        await started.wait()
        reading.cancel()
    assert (_open_files(), +store.bodies._pins) == (files, {})


async def test_it_stays_until_it_is_read(backend: Standalone, store: Store) -> None:
    await put_in_parts(backend, "k", PART, PART[::-1])
    body = stored_body(store, _version(store), 0, 2 * len(PART))
    await call(backend, "DeleteObject", K)
    await store.bodies._sweeper
    assert await _read(body) == PART + PART[::-1]


@pytest.mark.parametrize("parts", [1, 2])
async def test_a_file_that_is_lost(backend: Standalone, store: Store, parts: int) -> None:
    await put_in_parts(backend, "k", *[PART] * parts)
    path = store.bodies.path(store.segments(_version(store))[0].file)
    path.rename(path.with_suffix(".away"))
    with pytest.raises(S3Error) as error:
        await _read(stored_body(store, _version(store), 0, parts * len(PART)))
    assert error.value.code == "InternalError"
    path.with_suffix(".away").rename(path)


async def test_a_file_that_is_too_short(backend: Standalone, store: Store) -> None:
    await call(backend, "PutObject", K, LARGE)
    path = store.bodies.path(store.segments(_version(store))[0].file)
    path.write_bytes(LARGE[:-1])
    with pytest.raises(S3Error) as error:
        await _read(stored_body(store, _version(store), 0, len(LARGE)))
    assert error.value.code == "InternalError"
    path.write_bytes(LARGE)


async def test_a_row_that_is_lost(backend: Standalone, store: Store) -> None:
    await call(backend, "PutObject", K, b"x")
    version = _version(store)
    await call(backend, "DeleteObject", K)
    with pytest.raises(S3Error) as error:
        stored_body(store, version, 0, 1)
    assert error.value.code == "InternalError"


@pytest.mark.parametrize("algorithm", ["SHA256", "CRC32"])
async def test_digests(backend: Standalone, store: Store, algorithm: str) -> None:
    await call(backend, "PutObject", K, LARGE)
    hasher = BY_NAME[algorithm].new()
    hasher.update(LARGE)
    async with stored_body(store, _version(store), 0, len(LARGE)) as body:
        assert await digest(body, BY_NAME[algorithm]) == hasher.digest()
    assert hashlib.sha256(LARGE).digest() == hasher.digest() or algorithm != "SHA256"
