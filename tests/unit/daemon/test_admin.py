"""The admin listener over real connections on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from s3d.daemon.admin import Admin
from s3d.daemon.config import AdminConfig
from s3d.daemon.status import Status
from s3d.daemon.values import Secret
from s3d.server.sockets import CannotListen

AWAY = {"reachable": False, "since": 1700000000.0, "error": "refused"}


class Running:
    """A started admin listener with a client."""

    def __init__(self, admin: Admin, session: aiohttp.ClientSession) -> None:
        self.admin = admin
        self.session = session

    async def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, Any]:
        url = f"http://127.0.0.1:{self.admin.port}{path}"
        async with self.session.request(method, url, headers=headers) as response:
            assert response.content_type == "application/json"
            assert response.headers["Cache-Control"] == "no-store"
            return response.status, None if method == "HEAD" else await response.json(), response.headers


@contextlib.asynccontextmanager
async def running(token: str | None = None, *, serving: bool = True, about: str = "remote") -> AsyncIterator[Running]:
    config = AdminConfig("127.0.0.1", 0, Secret(token) if token else None)
    parts = {about: lambda: AWAY, "settings": lambda: {"S3D_ADMIN_TOKEN": config.token}}
    admin = Admin(config, Status(parts), lambda: serving)
    await admin.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Running(admin, session)
    finally:
        await admin.stop()


async def test_live_and_ready() -> None:
    async with running() as it:
        assert (await it.ask("/health/live"))[:2] == (200, {"live": True})
        assert (await it.ask("/health/ready"))[:2] == (200, {"serving": True, "remote": AWAY})
        assert (await it.ask("/health/ready", "HEAD"))[0] == 200


async def test_not_ready_while_not_serving() -> None:
    async with running(serving=False) as it:
        assert (await it.ask("/health/live"))[0] == 200
        assert (await it.ask("/health/ready"))[:2] == (503, {"serving": False, "remote": AWAY})


async def test_ready_says_where_the_objects_are() -> None:
    async with running(about="standalone") as it:
        assert (await it.ask("/health/ready"))[:2] == (200, {"serving": True, "standalone": AWAY})


async def test_status() -> None:
    async with running("hunter2") as it:
        status, document, _ = await it.ask("/status", Authorization="Bearer hunter2")
    assert status == 200
    assert list(document) == ["version", "pid", "uptime_seconds", "memory_rss_bytes", "remote", "settings"]
    assert document["settings"] == {"S3D_ADMIN_TOKEN": "***"}


async def test_unknown_paths_and_methods() -> None:
    async with running() as it:
        status, document, _ = await it.ask("/nowhere")
        assert (status, list(document)) == (404, ["error"])
        status, document, headers = await it.ask("/status", "DELETE")
        assert (status, document, headers["Allow"]) == (405, {"error": "/status takes GET, HEAD"}, "GET, HEAD")


async def test_token() -> None:
    async with running("hunter2") as it:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            status, document, answered = await it.ask("/status", **headers)
            assert (status, answered["WWW-Authenticate"]) == (401, "Bearer")
            assert "S3D_ADMIN_TOKEN" in document["error"]
        assert (await it.ask("/health/ready"))[0] == 200


async def test_a_foreign_host_field_is_refused() -> None:
    async with running() as it:
        assert (await it.ask("/status", Host="evil.test"))[0] == 403
        assert (await it.ask("/status", Host=f"localhost:{it.admin.port}"))[0] == 200


async def test_localhost_listens_on_one_port() -> None:
    admin = Admin(AdminConfig("localhost", 0), Status({}), lambda: True)
    await admin.start()
    assert admin.port > 0
    await admin.stop()
    await admin.stop()


async def test_stop_closes_the_port_for_the_next_one() -> None:
    first = Admin(AdminConfig("127.0.0.1", 0), Status({}), lambda: True)
    await first.start()
    second = Admin(AdminConfig("127.0.0.1", first.port), Status({}), lambda: True)
    with pytest.raises(CannotListen, match="the port is in use"):
        await second.start()
    await second.stop()
    await first.stop()
    await second.start()
    await second.stop()


@pytest.mark.parametrize(
    "raw", [b"GET /status HTTP/1.1\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"GET / HTTP/1.1\r\nx\r\n\r\n"]
)
async def test_malformed_requests_get_400_and_are_no_errors_of_ours(
    raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "s3d")
    async with running() as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.admin.port)
        writer.write(raw)
        assert (await reader.readline()).split()[1] == b"400"
        writer.close()
        assert (await it.ask("/health/live"))[0] == 200
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("INFO", None)]
    assert "malformed request" in caplog.text


async def test_malformed_requests_are_not_logged_above_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "s3d")
    async with running() as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.admin.port)
        writer.write(b"GET /status HTTP/1.1\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"400"
        writer.close()
    assert caplog.records == []


async def test_a_part_that_fails_is_an_error_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> object:
        raise ValueError("this part broke")

    admin = Admin(AdminConfig("127.0.0.1", 0), Status({"broken": broken}), lambda: True)
    await admin.start()
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{admin.port}/status") as response:
        assert response.status == 500
    await admin.stop()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "this part broke" in caplog.text
