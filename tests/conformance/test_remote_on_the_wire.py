"""What Remote puts on the wire, byte for byte: request target, Host, framing, and nothing of its own."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import botocore.auth
import botocore.credentials
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from conformance.calling import Pieces, body_of, call
from conformance.recorder import Recorded, Recorder, recorder
from conformance.targets import TARGETS
from multidict import CIMultiDict
from peers import ACCESS_KEY, REGION, SECRET_KEY

from s3d.remote.backend import Remote
from s3d.remote.config import RemoteConfig
from s3d.remote.credentials import ANONYMOUS, Static
from s3d.s3.message import S3Request
from s3d.s3.routing import UNKNOWN
from s3d.s3.sigv4 import Credentials

NOT_SENT = {"transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "proxy-connection", "expect"}
NOT_ADDED = {"accept", "accept-encoding", "user-agent", "cookie", "content-type"}


@pytest.fixture
def wire() -> Iterator[Recorder]:
    with recorder() as server:
        yield server


def _remote(wire: Recorder, *, anonymous: bool = False, addressing: str = "auto", host: str = "127.0.0.1") -> Remote:
    endpoint = f"http://{host}:{wire.server_address[1]}"
    config = RemoteConfig(endpoint=endpoint, region=REGION, addressing=addressing)
    return Remote(config, ANONYMOUS if anonymous else Static(Credentials(ACCESS_KEY, SECRET_KEY)))


@pytest.fixture
async def remote(wire: Recorder) -> AsyncIterator[Remote]:
    async with _remote(wire) as backend:
        yield backend


async def _send(remote: Remote, request: S3Request) -> None:
    await body_of(await remote(request))


@pytest.mark.parametrize("key", TARGETS, ids=lambda key: TARGETS[key].decode()[:20])
@pytest.mark.parametrize("operation", ["PutObject", "GetObject", "HeadObject", "DeleteObject"])
async def test_the_key_in_the_target(wire: Recorder, remote: Remote, operation: str, key: str) -> None:
    await call(remote, operation, {"Bucket": "bucket", "Key": key}, b"x" if operation == "PutObject" else None)
    seen = wire.only()
    method = operation.removesuffix("Object").upper().encode()
    assert seen.request_line == method + b" /bucket/" + TARGETS[key] + b" HTTP/1.1"
    assert seen.all("Host") == [wire.netloc.encode()]
    _check_signature(seen)


async def test_virtual_host_addressing(wire: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo  # not every machine has *.localhost
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *args, **more: resolve("127.0.0.1", *args, **more))
    async with _remote(wire, addressing="virtual", host="localhost") as remote:
        await call(remote, "GetObject", {"Bucket": "bucket", "Key": "a//b"})
    seen = wire.only()
    assert seen.target == b"/a//b"
    assert seen.all("Host") == [b"bucket.localhost:%d" % wire.server_address[1]]
    _check_signature(seen)


async def test_a_small_body_has_its_length(wire: Recorder, remote: Remote) -> None:
    await call(remote, "PutObject", {"Bucket": "b", "Key": "k"}, b"hello")
    seen = wire.only()
    assert (seen.all("Content-Length"), seen.body) == ([b"5"], b"hello")
    assert not seen.names() & NOT_SENT


async def test_a_streamed_body_has_its_length_and_no_coding(wire: Recorder, remote: Remote) -> None:
    data = bytes(range(256)) * 1000
    request = S3Request(
        "PUT", "PutObject", "b", "k", headers=CIMultiDict({"Content-Encoding": "gzip"}), body=Pieces(data)
    )
    await _send(remote, request)
    seen = wire.only()
    assert (seen.all("Content-Length"), seen.body) == ([b"256000"], data)
    assert seen.all("Content-Encoding") == [b"gzip"]
    assert not seen.names() & NOT_SENT
    assert all(b"aws-chunked" not in value and not value.startswith(b"STREAMING") for _, value in seen.fields)


@pytest.mark.parametrize(
    ("method", "length"), [("PUT", [b"0"]), ("POST", [b"0"]), ("GET", []), ("HEAD", []), ("DELETE", [])]
)
async def test_no_body(wire: Recorder, remote: Remote, method: str, length: list[bytes]) -> None:
    await _send(remote, S3Request(method, UNKNOWN, "b", "k"))
    seen = wire.only()
    assert (seen.all("Content-Length"), seen.body) == (length, b"")
    assert not seen.names() & NOT_SENT


async def test_the_headers_are_those_of_the_client(wire: Recorder, remote: Remote) -> None:
    given = [
        ("X-Amz-Meta-One", "1"),
        ("X-Amz-Meta-One", "2"),
        ("x-amz-meta-name", "n\u00e4me"),
        ("X-Custom", "a,  b"),
        ("Range", "bytes=0-1"),
        ("Content-Type", "Text/HTML;Charset=utf-8"),
    ]
    await _send(remote, S3Request("GET", "GetObject", "b", "k", headers=CIMultiDict(given)))
    seen = wire.only()
    ours = {"host", "authorization", "x-amz-date", "x-amz-content-sha256"}
    kept = [(name.decode(), value.decode()) for name, value in seen.fields if name.decode().lower() not in ours]
    assert kept == given
    assert not seen.names() & NOT_SENT


async def test_a_repeated_field_in_two_spellings(wire: Recorder, remote: Remote) -> None:
    given = [("X-Amz-Meta-One", "1"), ("x-amz-meta-one", "2")]
    await _send(remote, S3Request("GET", "GetObject", "b", "k", headers=CIMultiDict(given)))
    seen = wire.only()
    assert seen.all("x-amz-meta-one") == [b"1", b"2"]
    _check_signature(seen)


async def test_nothing_is_added(wire: Recorder, remote: Remote) -> None:
    await call(remote, "PutObject", {"Bucket": "b", "Key": "k"}, b"x")
    assert not wire.only().names() & NOT_ADDED


async def test_an_unknown_operation_goes_on_as_it_came(wire: Recorder, remote: Remote) -> None:
    query = [("new-thing", ""), ("b", "2 +&="), ("a", "\u00fc"), ("a", "again")]
    await _send(remote, S3Request("PATCH", UNKNOWN, "b", "k", query=query, body=b"<X/>"))
    seen = wire.only()
    assert seen.request_line == b"PATCH /b/k?new-thing=&b=2%20%2B%26%3D&a=%C3%BC&a=again HTTP/1.1"
    assert seen.body == b"<X/>"
    _check_signature(seen)


async def test_without_credentials_nothing_is_signed(wire: Recorder) -> None:
    async with _remote(wire, anonymous=True) as remote:
        await call(remote, "GetObject", {"Bucket": "b", "Key": "k"})
    seen = wire.only()
    assert seen.target == b"/b/k"
    assert "authorization" not in seen.names()


def _check_signature(seen: Recorded) -> None:
    """Signs what arrived with botocore, at the time that the request names: the same signature must come out."""
    (authorization,) = (value.decode() for value in seen.all("Authorization"))
    signed = re.search(r"SignedHeaders=([^,]+)", authorization)
    assert signed
    method, target = (part.decode() for part in seen.request_line.split(b" ")[:2])
    host = seen.all("Host")[0].decode()
    request = AWSRequest(method=method, url=f"http://{host}{target}")
    for name in signed.group(1).split(";"):
        for value in seen.all(name):
            if name not in ("host", "x-amz-date", "x-amz-content-sha256"):
                request.headers.add_header(name, value.decode())
    when = datetime.strptime(seen.all("x-amz-date")[0].decode(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    payload = seen.all("x-amz-content-sha256")[0].decode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda *args, **more: when)
        signer = S3SigV4Auth(botocore.credentials.Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION)
        patch.setattr(signer, "payload", lambda request: payload)
        signer.add_auth(request)
    assert _signature(request.headers["Authorization"]) == _signature(authorization)


def _signature(authorization: str) -> tuple[str, ...]:
    found = re.search(r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})", authorization)
    assert found, authorization
    return found.groups()
