"""Keys are opaque bytes end to end: what a client names on the wire is what s3d names on the wire to the remote, and
what the embedded store keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import peers
import pytest
from conformance.recorder import Recorded, Recorder, recorder
from conformance.targets import TARGETS
from e2e.differential.sender import TRAILER, Address, Outgoing, send

pytestmark = pytest.mark.peer

SPELLINGS = {
    b"/bucket/a+b": b"/bucket/a%2Bb",
    b"/bucket/%c3%bc": b"/bucket/%C3%BC",
    b"/bucket/%61%2d%62": b"/bucket/a-b",
    b"/bucket/a%2Fb": b"/bucket/a/b",
    b"/bucket/%2e%2E/x": b"/bucket/../x",
    b"/bucket/a;b=c,d@e:f!$&'()*": b"/bucket/a%3Bb%3Dc%2Cd%40e%3Af%21%24%26%27%28%29%2A",
    b"/bucket//": b"/bucket//",
    b"/bucket//a": b"/bucket//a",
    b"/bucket/%FF%fe": b"/bucket/%FF%FE",
    b"/bucket/a%00b": b"/bucket/a%00b",
}
"""Other ways to write the same bytes, and the one way in which s3d writes them."""


@pytest.fixture(scope="module")
def wire() -> Iterator[Recorder]:
    with recorder() as server:
        yield server


@pytest.fixture(scope="module")
def address(wire: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """s3d in front of the recorder."""
    directory: Path = tmp_path_factory.mktemp("s3d-recorder")
    with peers.s3d(f"http://{wire.netloc}", directory) as gateway:
        yield Address(gateway.url, "ANY", "anything")


def _forwarded(wire: Recorder, address: Address, outgoing: Outgoing) -> Recorded:
    wire.requests.clear()
    assert send(address, outgoing).status == 200
    return wire.only()


def _targets() -> dict[bytes, bytes]:
    return {b"/bucket/" + written: b"/bucket/" + written for written in TARGETS.values()} | SPELLINGS


@pytest.mark.parametrize(("target", "expected"), _targets().items(), ids=[t.decode()[:40] for t in _targets()])
@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE"])
def test_the_key(wire: Recorder, address: Address, method: str, target: bytes, expected: bytes) -> None:
    body = b"x" if method == "PUT" else b""
    seen = _forwarded(wire, address, Outgoing(method, target.decode(), body=body))
    assert seen.target == expected
    assert seen.all("Host") == [wire.netloc.encode()]


@pytest.mark.parametrize(
    ("target", "expected"), [("/a//b", b"/bucket/a//b"), ("//a", b"/bucket//a"), ("/", b"/bucket")]
)
def test_the_key_of_a_virtual_host(wire: Recorder, address: Address, target: str, expected: bytes) -> None:
    host = f"bucket.localhost:{address.netloc.rpartition(':')[2]}"
    seen = _forwarded(wire, address, Outgoing("GET", target, (("Host", host),)))
    assert seen.target in (expected, expected + b"/" if target == "/" else expected)


@pytest.mark.parametrize("target", ["/a%2Fb", "/a%2Fb/c", "//a", "//a/b"])
def test_a_bucket_is_one_segment_of_the_path(wire: Recorder, address: Address, target: str) -> None:
    """Such buckets do not exist. What matters is that no request turns into one for something that does."""
    wire.requests.clear()
    if send(address, Outgoing("DELETE", target)).status < 400:
        assert wire.only().target == target.encode()


def test_what_belongs_to_one_connection_stays_there(wire: Recorder, address: Address) -> None:
    headers = (
        ("Connection", "close, X-Private"),
        ("X-Private", "1"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Proxy-Authorization", "Basic eDp5"),
        ("X-Public", "1"),
    )
    seen = _forwarded(wire, address, Outgoing("GET", "/bucket/k", headers, auth="none"))
    assert seen.all("X-Public") == [b"1"]
    assert not seen.names() & {"connection", "keep-alive", "te", "proxy-authorization", "transfer-encoding"}
    assert not seen.all("X-Private"), "a field that Connection names belongs to the connection (RFC 9110, 7.6.1)"


def test_aws_chunked_ends_at_s3d(wire: Recorder, address: Address) -> None:
    headers = (
        ("Content-Encoding", "gzip, aws-chunked"),
        ("x-amz-decoded-content-length", "5"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    )
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    seen = _forwarded(wire, address, Outgoing("PUT", "/bucket/k", headers, body, payload=TRAILER))
    assert (seen.body, seen.all("Content-Length")) == (b"hello", [b"5"])
    assert [value.replace(b" ", b"") for value in seen.all("Content-Encoding")] == [b"gzip"]
    assert not seen.names() & {"x-amz-decoded-content-length", "x-amz-trailer", "transfer-encoding"}
    assert not any(value.startswith(b"STREAMING") for value in seen.all("x-amz-content-sha256"))


def test_a_chunked_body_gets_its_length(wire: Recorder, address: Address) -> None:
    seen = _forwarded(wire, address, Outgoing("PUT", "/bucket/k", body=b"hello", chunked=True))
    assert (seen.body, seen.all("Content-Length"), seen.all("Transfer-Encoding")) == (b"hello", [b"5"], [])


@pytest.fixture(scope="module")
def store(standalone: peers.Server) -> Address:
    """s3d on the embedded store, with the bucket."""
    address = Address(standalone.url, "ANY", "anything")
    assert send(address, Outgoing("PUT", "/bucket")).status == 200
    return address


def _listed(store: Address) -> list[bytes]:
    """The bytes of all keys in the bucket, in the order of the list."""
    body = send(store, Outgoing("GET", "/bucket?encoding-type=url&list-type=2")).body
    keys = [entry.text or "" for entry in ElementTree.fromstring(body).findall(".//{*}Key")]
    return [unquote_to_bytes(key.replace("+", " ")) for key in keys]


def _keys() -> dict[bytes, bytes]:
    return {target: unquote_to_bytes(target.removeprefix(b"/bucket/")) for target in _targets()}


@pytest.mark.parametrize(("target", "key"), _keys().items(), ids=[target.decode()[:40] for target in _keys()])
def test_the_store_keeps_the_key(store: Address, target: bytes, key: bytes) -> None:
    assert send(store, Outgoing("PUT", target.decode(), body=key)).status == 200
    assert _listed(store) == [key]
    for spelling in (target, _targets()[target]):
        assert send(store, Outgoing("GET", spelling.decode())).body == key
    assert send(store, Outgoing("DELETE", target.decode())).status == 204
    assert _listed(store) == []


def test_the_store_tells_all_keys_apart(store: Address) -> None:
    targets = {target.decode(): key for target, key in _keys().items()}
    for target, key in targets.items():
        assert send(store, Outgoing("PUT", target, body=key)).status == 200
    assert _listed(store) == sorted(set(targets.values()))
    for target, key in targets.items():
        assert send(store, Outgoing("GET", target)).body == key
    for target in targets:
        assert send(store, Outgoing("DELETE", target)).status == 204
    assert _listed(store) == []
