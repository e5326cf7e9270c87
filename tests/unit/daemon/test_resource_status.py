"""``/status/{bucket}/{key}`` over real connections: whatever bytes a key has, they arrive as they were written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from conformance.targets import TARGETS

from s3d.daemon.admin import Admin
from s3d.daemon.config import AdminConfig
from s3d.daemon.status import Status
from s3d.standalone.version import key_bytes
from s3d.write_queue.backend import WriteQueue


class Fake(WriteQueue):
    """Says what it was asked for."""

    def __init__(self) -> None:
        pass

    def bucket_document(self, bucket: str) -> dict[str, Any]:
        return {"of": [bucket]}

    def key_document(self, bucket: str, key: str) -> dict[str, Any]:
        return {"of": [bucket, key_bytes(key).hex()]}


@pytest.fixture
async def port() -> AsyncIterator[int]:
    admin = Admin(AdminConfig("127.0.0.1", 0), Status({}), lambda: True, Fake())
    await admin.start()
    yield admin.port
    await admin.stop()


async def get(port: int, target: bytes) -> tuple[int, Any]:
    """Sends the target as it is: clients of HTTP would tidy it up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("key", TARGETS, ids=lambda key: repr(key)[:40])
async def test_a_key(port: int, key: str) -> None:
    assert await get(port, b"/status/b/" + TARGETS[key]) == (200, {"of": ["b", key_bytes(key).hex()]})


@pytest.mark.parametrize(
    ("target", "key"),
    [
        (b"a//../b/", b"a//../b/"),
        (b"%2e%2e/.", b"../."),
        (b"/", b"/"),
        (b"a%2Fb", b"a/b"),
        (b"a%00%0a%FF%25", b"a\x00\n\xff%"),
        (b"a+b;c=d?x=1", b"a+b;c=d"),
        (b"a%3fb", b"a?b"),
    ],
)
async def test_ways_to_write_a_key(port: int, target: bytes, key: bytes) -> None:
    assert await get(port, b"/status/b/" + target) == (200, {"of": ["b", key.hex()]})


@pytest.mark.parametrize("target", [b"/status/b", b"/status/b/", b"/status/b?x=y", b"/status/%62"])
async def test_a_bucket(port: int, target: bytes) -> None:
    assert await get(port, target) == (200, {"of": ["b"]})


async def test_neither(port: int) -> None:
    assert (await get(port, b"/status/"))[0] == 404
    assert (await get(port, b"/statusb/k"))[0] == 404
    assert "version" in (await get(port, b"/status"))[1]


async def test_without_a_queue() -> None:
    admin = Admin(AdminConfig("127.0.0.1", 0), Status({}), lambda: True)
    await admin.start()
    status, document = await get(admin.port, b"/status/b/k")
    await admin.stop()
    assert status == 400
    assert "S3D_WRITE_QUEUE=on" in document["error"]
