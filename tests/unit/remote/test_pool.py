"""Connections to the remote: their number, TLS, proxies, reuse."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from s3d.remote import pool as pool_module
from s3d.remote.config import RemoteConfig
from s3d.remote.pool import Pool


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def test_the_pool_is_as_large_as_configured() -> None:
    async with pool(max_connections=7) as made:
        assert made._connector.limit == 7


@pytest.mark.parametrize(
    ("environ", "endpoint", "proxy"),
    [
        ({}, "http://remote:1", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://remote:1", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:2"}, "https://remote:1", "http://p:2"),
        ({"HTTPS_PROXY": "http://p:2"}, "http://remote:1", None),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "remote"}, "http://remote:1", None),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "*"}, "http://remote:1", None),
    ],
)
async def test_proxies(
    environ: dict[str, str], endpoint: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name.lower(), value)
    assert pool_module._proxy(endpoint) == proxy


def test_certificates_are_checked() -> None:
    context = pool_module._tls(None)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_bundle_that_is_missing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        pool_module._tls(tmp_path / "missing.pem")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "other.pem"))
    with pytest.raises(FileNotFoundError):
        pool_module._tls(None)


def test_a_machine_without_certificates_uses_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = ssl.DefaultVerifyPaths(None, None, "", "", "", "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)
    monkeypatch.setattr(ssl, "create_default_context", lambda cafile=None: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert pool_module._tls(None).cert_store_stats()["x509_ca"] > 50


@contextlib.asynccontextmanager
async def pool(**settings: int) -> AsyncIterator[Pool]:
    made = Pool(RemoteConfig(**settings))
    try:
        yield made
    finally:
        await made.close()


class Listener:
    """Counts connections, and keeps the first line that came on each."""

    def __init__(self, answer: bytes = b"") -> None:
        self.lines: list[bytes] = []
        self.heads: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.append(b"")
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            self.lines[-1] = head.split(b"\r\n")[0]
            writer.write(self._answer)
            await reader.read()
        writer.close()


@contextlib.asynccontextmanager
async def listening(answer: bytes = b"") -> AsyncIterator[tuple[str, Listener]]:
    listener = Listener(answer)
    server = await asyncio.start_server(listener, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", listener
    for writer in listener.writers:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_released_connection_is_used_again_and_a_closed_one_is_not() -> None:
    async with listening() as (origin, listener), pool() as made:
        for last in (Pool.close, None):
            connection = await made.connect(origin)
            await asyncio.sleep(0.05)
            connection.release() if last else connection.close()
        await asyncio.sleep(0.05)
        assert len(listener.lines) == 1
        (await made.connect(origin)).close()
        await asyncio.sleep(0.05)
        assert len(listener.lines) == 2


async def test_a_plain_proxy_gets_the_whole_url_and_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as (proxy, listener), pool() as made:
        monkeypatch.setenv("http_proxy", proxy.replace("http://", "http://user:word@"))
        connection = await made.connect("http://remote.invalid:80")
        assert made.proxied("http://remote.invalid:80") == {"Proxy-Authorization": "Basic dXNlcjp3b3Jk"}
        connection.close()
        await asyncio.sleep(0.05)
        assert len(listener.lines) == 1


async def test_through_a_proxy_an_https_remote_is_reached_by_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    async with listening(refusal) as (proxy, listener), pool() as made:
        monkeypatch.setenv("https_proxy", proxy)
        with pytest.raises(aiohttp.ClientError, match="403"):
            await made.connect("https://remote.invalid:443")
        assert listener.lines == [b"CONNECT remote.invalid:443 HTTP/1.1"]
        assert made.proxied("https://remote.invalid:443") is None


async def test_without_a_proxy_requests_carry_a_path() -> None:
    async with pool() as made:
        assert made.proxied("http://127.0.0.1:9") is None
