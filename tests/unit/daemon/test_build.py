"""The composition: what `build` makes serves, is observable, takes a wrapper, and stops."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from wire.raw_remote import CREDENTIALS, OK, Conversation, RawRemote, well
from wire.rig import connected, head

from s3d.daemon.build import Daemon, build
from s3d.daemon.config import Config, load
from s3d.local.directory import DirectoryInUse
from s3d.remote.credentials import Static
from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.server.sockets import CannotListen


def config(directory: Path, endpoint: str, **more: str) -> Config:
    environ = {
        "S3_ENDPOINT": endpoint,
        "S3D_ENDPOINT": "http://127.0.0.1:0",
        "S3D_ADMIN_ENDPOINT": "http://127.0.0.1:0",
        "S3D_LOCAL_DIR": str(directory),
        **more,
    }
    return load({}, environ)


async def status_of(daemon: Daemon) -> Any:
    url = f"http://127.0.0.1:{daemon.admin.port}/status"
    async with aiohttp.ClientSession() as session, session.get(url) as status:
        return await status.json()


async def test_serves_the_remote_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    raw = RawRemote(well)
    await raw.start()
    daemon = build(config(tmp_path, f"http://127.0.0.1:{raw.port}"), credentials=Static(CREDENTIALS))
    await daemon.start()
    try:
        async with connected(daemon.server.port) as client:
            client.send(head("GET /bucket/key"))
            answer = await client.answer()
            assert (answer.status, answer.body) == (200, b"hello")
        document = await status_of(daemon)
        assert document["remote"]["reachable"] is True
        assert document["requests"]["answered"]["2xx"] == 1
        assert document["settings"]["S3_ENDPOINT"]["value"] == f"http://127.0.0.1:{raw.port}"
    finally:
        await daemon.stop(1)
        await raw.stop()


async def test_a_wrapper_goes_around_the_remote(tmp_path: Path) -> None:
    inner: list[Backend] = []

    class Faults:
        async def __call__(self, request: S3Request) -> S3Response:
            raise S3Error("SlowDown")

    def wrap(backend: Backend) -> Backend:
        inner.append(backend)
        return Faults()

    daemon = build(config(tmp_path, "http://127.0.0.1:1"), credentials=Static(CREDENTIALS), wrap=wrap)
    await daemon.start()
    try:
        async with connected(daemon.server.port) as client:
            client.send(head("GET /bucket/key"))
            assert (await client.answer()).status == 503
        assert inner == [daemon.store]
    finally:
        await daemon.stop(1)


async def test_it_starts_without_its_remote(tmp_path: Path) -> None:
    """The remote is asked by the first request, not before."""
    daemon = build(config(tmp_path, "http://127.0.0.1:1"), credentials=Static(CREDENTIALS))
    await daemon.start()
    assert daemon.server.serving
    assert daemon.store.document()["reachable"] is None
    await daemon.stop(1)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "local:"])
async def test_a_failed_start_can_be_stopped_and_holds_nothing(tmp_path: Path, endpoint: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        admin = f"http://127.0.0.1:{taken.getsockname()[1]}"
        daemon: Daemon = build(config(tmp_path, endpoint, S3D_ADMIN_ENDPOINT=admin))
        with pytest.raises(CannotListen):
            await daemon.start()
    await daemon.stop(1)
    assert not daemon.server.serving
    other = build(config(tmp_path, endpoint))
    await other.start()
    await other.stop(0)


async def test_what_is_cut_off_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")

    async def hangs(talk: Conversation) -> None:
        await talk.request()
        await talk.rest()
        talk.send(OK)

    raw = RawRemote(hangs)
    await raw.start()
    daemon = build(config(tmp_path, f"http://127.0.0.1:{raw.port}"), credentials=Static(CREDENTIALS))
    await daemon.start()
    async with connected(daemon.server.port) as client:
        client.send(head("GET /bucket/key"))
        await raw.until(lambda: bool(raw.requests))
        await daemon.stop(0.05)
        assert await client.closed() == b""
    await raw.stop()
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (record.getMessage(), record.requests) == ("requests in flight were cut off", 1)


async def test_the_embedded_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    daemon = build(config(tmp_path, f"local:{tmp_path}/store", S3D_CREATE_BUCKETS="bucket"))
    await daemon.start()
    try:
        async with connected(daemon.server.port) as client:
            client.send(head("PUT /bucket/key", "Content-Length: 5") + b"hello")
            assert (await client.answer()).status == 200
            client.send(head("GET /bucket/key"))
            answer = await client.answer()
            assert (answer.status, answer.body) == (200, b"hello")
        document = await status_of(daemon)
        assert document["standalone"]["directory"] == f"{tmp_path}/store"
        assert "remote" not in document
    finally:
        await daemon.stop(1)


async def test_a_wrapper_goes_around_the_embedded_store(tmp_path: Path) -> None:
    inner: list[Backend] = []
    daemon = build(config(tmp_path, "local:"), wrap=lambda backend: inner.append(backend) or backend)
    assert inner == [daemon.store]
    await daemon.stop(0)


async def test_a_store_in_use_does_not_listen_and_is_left_alone(tmp_path: Path) -> None:
    """The store is opened first: what cannot be kept must not be taken."""
    first = build(config(tmp_path, "local:"))
    await first.start()
    second = build(config(tmp_path, "local:"))
    with pytest.raises(DirectoryInUse):
        await second.start()
    assert not second.server.serving
    await second.stop(0)
    third = build(config(tmp_path, "local:"))
    with pytest.raises(DirectoryInUse):
        await third.start()
    await third.stop(0)
    await first.stop(0)
    await third.start()
    await third.stop(0)


class Deciding:
    """A queue or a cache that decides again."""

    def __init__(self, *, fails: bool = False) -> None:
        self.times = 0
        self._fails = fails
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def decide_again(self) -> int:
        self.times += 1
        await self.go_on.wait()
        if self._fails:
            raise S3Error("InternalError", "the disk fails")
        return 0


def deciding(queue: Deciding, cache: Deciding) -> Daemon:
    return Daemon(None, None, None, queue, cache)  # type: ignore[arg-type]  # all that it needs of them


async def test_the_cache_is_decided_again_though_the_queue_fails() -> None:
    queue, cache = Deciding(fails=True), Deciding()
    with pytest.raises(S3Error, match="the disk fails"):
        await deciding(queue, cache).apply(load({}, {"S3_ENDPOINT": "local:"}))
    assert cache.times == 1


async def test_a_policy_that_changes_while_all_is_decided_again(caplog: pytest.LogCaptureFixture) -> None:
    queue, cache = Deciding(fails=True), Deciding()
    daemon = deciding(queue, cache)
    queue.go_on.clear()
    for _ in range(3):
        daemon.policy_changed()
        await asyncio.sleep(0)
    assert queue.times == 1
    queue.go_on.set()
    assert daemon._deciding is not None
    await daemon._deciding
    assert (queue.times, cache.times) == (2, 2)
    assert "not all objects were decided again" in caplog.text
    caplog.clear()
