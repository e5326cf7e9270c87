"""Fetching: links that break, versions that change in the middle, readers that go, and one fetch for all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from unit.read_cache.caching import BLOCK, Caching, caching, read, request

from s3d.read_cache import fetch
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response

BODY = os.urandom(40 * BLOCK + 5)
PIECE = 3 * BLOCK + 1000


class Streaming:
    """A remote whose bodies come in pieces. ``breaks``: after how many bytes each of the next answers breaks off; ``go``:
    what is waited for once ``free`` bytes are out; ``sent``: bytes that went out; ``begun`` and ``closed`` count bodies."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.breaks: list[int] = []
        self.go = asyncio.Event()
        self.free = 0
        self.go.set()
        self.sent = self.begun = self.closed = 0

    async def __call__(self, request: S3Request) -> S3Response:
        response: S3Response = await self._inner(request)
        if request.operation == "GetObject" and response.status in (200, 206):
            assert isinstance(response.body, bytes)
            response.body = self._pieces(response.body, self.breaks.pop(0) if self.breaks else None)
        return response

    async def _pieces(self, body: bytes, end: int | None) -> AsyncGenerator[bytes, None]:
        self.begun += 1
        try:
            for start in range(0, len(body), PIECE):
                if self.sent >= self.free:
                    await self.go.wait()
                await asyncio.sleep(0)
                if end is not None and start >= end:
                    raise RemoteUnreachable("the link broke")
                self.sent += len(body[start : start + PIECE])
                yield body[start : start + PIECE]
        finally:
            self.closed += 1


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_PAUSES", (0.0, 0.0))


def streaming(it: Caching) -> Streaming:
    found = Streaming(it.remote.inner)
    it.remote.inner = found  # type: ignore[assignment]  # a Backend is enough
    return found


async def test_a_link_that_breaks(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", BODY)
        remote = streaming(it)
        remote.breaks = [10 * BLOCK, 1, 1, 20 * BLOCK]
        assert (await it.get("k")).body == BODY
        assert [r.headers.get("If-Match") is not None for r in it.remote.seen] == [False, True, True, True, True]
        assert (await it.get("k")).said == "HIT"
        assert remote.begun == remote.closed == 5


async def test_a_link_that_stays_broken(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", BODY)
        remote = streaming(it)
        remote.breaks = [10 * BLOCK, *[0] * 50]
        with pytest.raises(RemoteUnreachable):
            await it.get("k")
        assert len(it.remote.seen) == 4
        remote.breaks = []
        assert (await it.get("k")).body == BODY
        where = it.asked("GetObject")[-1][1]
        assert where is not None
        assert not where.startswith("bytes=0-")  # what came is kept


async def test_a_version_that_changes_in_the_middle(tmp_path: Path) -> None:
    other = os.urandom(len(BODY))
    async with caching(tmp_path) as it:
        await it.put("k", BODY)
        remote = streaming(it)
        remote.breaks = [14 * BLOCK]
        response = await _begun(it, remote)
        await it.put("k", other)
        remote.go.set()
        with pytest.raises(S3Error, match="replaced"):
            await read(response.body)
        found = await it.get("k")
        assert found.body == other


async def _begun(it: Caching, remote: Streaming) -> S3Response:
    """An answer whose first bytes are here."""
    remote.go.clear()
    remote.free = 12 * BLOCK
    return await it.cache(request("GetObject", "k"))


async def test_a_version_that_changed_before_the_answer_begins_is_no_error(tmp_path: Path) -> None:
    other = os.urandom(len(BODY))
    async with caching(tmp_path) as it:
        await it.put("k", BODY)
        await it.get("k", Range="bytes=0-9")
        await it.put("k", other)
        found = await it.get("k", Range=f"bytes={20 * BLOCK}-{20 * BLOCK + 9}")
        assert found.body == other[20 * BLOCK : 20 * BLOCK + 10]
        assert (await it.get("k", Range="bytes=0-9")).body == other[:10]


async def test_readers_share_a_fetch_and_begin_at_once(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", BODY)
        remote = streaming(it)
        async with asyncio.TaskGroup() as tasks:
            readers = [tasks.create_task(it.get("k")) for _ in range(30)]
            readers += [tasks.create_task(it.get("k", Range=f"bytes={n}-")) for n in range(10)]
        assert all(reader.result().body == BODY for reader in readers[:30])
        assert all(reader.result().body == BODY[n:] for n, reader in enumerate(readers[30:]))
        assert (remote.begun, remote.sent) == (1, len(BODY))


async def test_a_reader_that_goes_leaves_what_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_PATIENCE", 0.05)
    monkeypatch.setattr(fetch, "_FINISH", 0)
    async with caching(tmp_path) as it:
        await it.put("k", BODY)
        remote = streaming(it)
        response = await _begun(it, remote)
        await response.body.aclose()  # type: ignore[union-attr]
        remote.free += 4 * BLOCK
        remote.go.set()
        await asyncio.sleep(0)
        remote.go.clear()
        await asyncio.sleep(0.1)
        remote.go.set()
        await it.written_down()
        assert remote.closed == 1
        assert 0 < remote.sent < len(BODY)
        kept = it.cache.document()["bytes"]
        assert kept > 0
        remote.sent = 0
        assert (await it.get("k")).body == BODY
        assert remote.sent == len(BODY) - kept


async def test_others_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_PATIENCE", 0.05)
    monkeypatch.setattr(fetch, "_FINISH", 0)
    async with caching(tmp_path) as it:
        await it.put("k", BODY)
        remote = streaming(it)
        first = await _begun(it, remote)
        async with asyncio.TaskGroup() as tasks:
            second = tasks.create_task(it.get("k"))
            await asyncio.sleep(0.05)
            await first.body.aclose()  # type: ignore[union-attr]
            await asyncio.sleep(0.1)
            remote.go.set()
        assert second.result().body == BODY
        assert remote.begun == 1


async def test_sequential_ranges_are_read_ahead(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", BODY)
        for start in range(0, len(BODY), BLOCK):
            assert (await it.get("k", Range=f"bytes={start}-{start + BLOCK - 1}")).body == BODY[start : start + BLOCK]
            await it.written_down()
        assert len(it.remote.seen) < 10
        assert it.cache.document()["bytes"] == len(BODY)


async def test_ranges_here_and_there_are_not(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", BODY)
        for block in (1, 7, 3, 30, 22):
            await it.get("k", Range=f"bytes={block * BLOCK}-{block * BLOCK}")
        await it.written_down()
        assert it.cache.document()["bytes"] == 5 * BLOCK


@pytest.mark.parametrize("status", [200, 206])
async def test_a_remote_that_answers_another_range(tmp_path: Path, status: int) -> None:
    """200 with all of it is used; another range than the one that was asked for is not."""
    async with caching(tmp_path) as it:
        await it.put("k", BODY)
        await it.get("k", Range="bytes=0-9")
        send = it.remote.inner

        class Other:
            async def __call__(self, request: S3Request) -> S3Response:
                if status == 200:
                    request.headers.pop("Range", None)
                else:
                    request.headers["Range"] = "bytes=0-99"
                return await send(request)

        it.remote.inner = Other()  # type: ignore[assignment]
        wanted = it.get("k", Range=f"bytes={9 * BLOCK}-{9 * BLOCK + 9}")
        if status == 200:
            assert (await wanted).body == BODY[9 * BLOCK : 9 * BLOCK + 10]
        else:
            with pytest.raises(S3Error):
                await wanted


async def test_a_full_disk_lets_the_bytes_go_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> list[int]:
        raise OSError(28, "No space left on device")

    async with caching(tmp_path) as it:
        await it.put("k", BODY)
        monkeypatch.setattr(fetch, "write", full)
        found = await it.get("k")
        assert found.body == BODY
        monkeypatch.undo()
        assert (await it.get("k")).body == BODY


async def test_a_remote_that_ignores_if_match(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", BODY)
        await it.get("k", Range="bytes=0-9")
        await it.put("k", BODY[::-1])
        send = it.remote.inner

        class Ignoring:
            async def __call__(self, request: S3Request) -> S3Response:
                request.headers.pop("If-Match", None)
                return await send(request)

        it.remote.inner = Ignoring()  # type: ignore[assignment]
        assert (await it.get("k")).body == BODY[::-1]
