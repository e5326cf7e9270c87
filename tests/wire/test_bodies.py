"""Every form in which clients send a body arrives at the Backend as the same object, with the same declared digests."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable

import pytest
from awscrt import checksums as crt
from wire.exchange import FAR, PRESIGNED_V4, SIGNATURE, V4_LINES
from wire.rig import Recorder, connected, head, serving, works_on

from s3d.server.spool import SpooledBody

SIZES = (0, 1, 11, 65_536, 300_000, 1_500_000)
"""Bytes: nothing, little, more than is taken in at once (256 KiB), more than is kept in memory."""

CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": lambda data: crt.crc32c(data).to_bytes(4, "big"),
    "crc64nvme": lambda data: crt.crc64nvme(data).to_bytes(8, "big"),
    "sha1": lambda data: hashlib.sha1(data).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
}


def data_of(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def base64_of(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def chunked(data: bytes, size: int) -> bytes:
    """The HTTP coding."""
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def aws_chunked(data: bytes, *, signed: bool, trailer: str = "", size: int = 65_536) -> bytes:
    """S3's own coding. ``trailer``: the line, or nothing."""
    extension = f";chunk-signature={SIGNATURE}".encode() if signed else b""
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    body += b"0%b\r\n" % extension
    if trailer:
        body += f"{trailer}\r\n".encode()
        if signed:
            body += f"x-amz-trailer-signature:{SIGNATURE}\r\n".encode()
    return body + b"\r\n"


async def arrives(request: bytes, data: bytes, **headers: str) -> Recorder:
    """Sends the request; asserts that exactly the data arrived, and these headers; gives the recorder."""
    recorder = Recorder()
    async with serving(recorder) as server, connected(server.port) as client:
        client.send(request)
        answer = await client.answer()
        if answer.status == 100:
            answer = await client.answer()
        assert answer.status == 200, answer.body
        assert recorder.last.body == data
        assert recorder.last.headers == {name.replace("_", "-"): value for name, value in headers.items()}
        if not answer.closes:
            await works_on(client, recorder)
            recorder.received.pop()
    return recorder


sizes = pytest.mark.parametrize("size", SIZES)
codings = pytest.mark.parametrize("in_chunks", [False, True], ids=["length", "chunks"])
algorithms = pytest.mark.parametrize("algorithm", CHECKSUMS)


def framed(data: bytes, in_chunks: bool, *fields: str, target: str = "/bucket/key") -> bytes:
    if in_chunks:
        return head(f"PUT {target}", "Transfer-Encoding: chunked", *fields) + chunked(data, 50_000)
    return head(f"PUT {target}", f"Content-Length: {len(data)}", *fields) + data


@sizes
@codings
async def test_plain(size: int, in_chunks: bool) -> None:
    data = data_of(size)
    await arrives(framed(data, in_chunks), data)


@sizes
@codings
async def test_unsigned_payload(size: int, in_chunks: bool) -> None:
    data = data_of(size)
    recorder = await arrives(framed(data, in_chunks, *V4_LINES, "x-amz-content-sha256: UNSIGNED-PAYLOAD"), data)
    assert recorder.last.request.payload_sha256 is None


@sizes
@codings
async def test_payload_hash_and_md5(size: int, in_chunks: bool) -> None:
    data = data_of(size)
    sha256, md5 = hashlib.sha256(data).hexdigest(), base64_of(hashlib.md5(data).digest())
    request = framed(data, in_chunks, *V4_LINES, f"x-amz-content-sha256: {sha256}", f"Content-MD5: {md5}")
    recorder = await arrives(request, data, content_md5=md5)
    assert recorder.last.request.payload_sha256 == sha256


@algorithms
@pytest.mark.parametrize("size", [0, 300_000])
async def test_checksum_in_a_header(size: int, algorithm: str) -> None:
    data = data_of(size)
    name, value = f"x-amz-checksum-{algorithm}", base64_of(CHECKSUMS[algorithm](data))
    await arrives(framed(data, False, f"{name}: {value}"), data, **{name: value})


@sizes
@codings
@pytest.mark.parametrize("signed", ["AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"])
async def test_signed_chunks(size: int, in_chunks: bool, signed: str) -> None:
    data = data_of(size)
    fields = (
        *V4_LINES,
        "Content-Encoding: aws-chunked",
        f"x-amz-content-sha256: STREAMING-{signed}-PAYLOAD",
        f"x-amz-decoded-content-length: {size}",
    )
    await arrives(framed(aws_chunked(data, signed=True), in_chunks, *fields), data)


@codings
@algorithms
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("size", [0, 11, 300_000, 1_500_000])
async def test_trailers(size: int, signed: bool, algorithm: str, in_chunks: bool) -> None:
    """The value in the trailer becomes a header: the remote gets no trailers."""
    data = data_of(size)
    name, value = f"x-amz-checksum-{algorithm}", base64_of(CHECKSUMS[algorithm](data))
    sha256 = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" if signed else "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    fields = (
        *V4_LINES,
        "Content-Encoding: gzip, aws-chunked",
        f"x-amz-content-sha256: {sha256}",
        f"x-amz-decoded-content-length: {size}",
        f"x-amz-trailer: {name}",
        f"x-amz-sdk-checksum-algorithm: {algorithm.upper()}",
    )
    body = aws_chunked(data, signed=signed, trailer=f"{name}:{value}")
    expected = {name: value, "content-encoding": "gzip", "x-amz-sdk-checksum-algorithm": algorithm.upper()}
    recorder = await arrives(framed(body, in_chunks, *fields), data, **expected)
    assert isinstance(recorder.last.request.body, SpooledBody) == (size > 1 << 18)


async def test_aws_chunked_that_only_its_coding_tells() -> None:
    """Unsigned SDK requests over plain HTTP may come without x-amz-content-sha256."""
    body = aws_chunked(b"hello", signed=False)
    await arrives(framed(body, False, "Content-Encoding: aws-chunked", "x-amz-decoded-content-length: 5"), b"hello")


@codings
async def test_presigned_put(in_chunks: bool) -> None:
    target = "/bucket/key?" + PRESIGNED_V4.format(date=FAR, expires=0)
    recorder = await arrives(framed(b"hello", in_chunks, target=target), b"hello")
    assert recorder.last.request.query == []


@pytest.mark.parametrize("size", [0, 11, 300_000])
async def test_100_continue_comes_before_the_body(size: int) -> None:
    data, recorder = data_of(size), Recorder()
    async with serving(recorder) as server, connected(server.port) as client:
        client.send(head("PUT /bucket/key", f"Content-Length: {size}", "Expect: 100-Continue"))
        assert (await client.answer()).raw_head == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(data)
        assert (await client.answer()).status == 200
        assert recorder.last.body == data
        assert "expect" not in recorder.last.headers
        await works_on(client, recorder)


async def test_no_100_continue_after_an_early_error() -> None:
    """The client will not send its body: what it sends next on another connection is a request, and this one closes."""
    recorder = Recorder()
    async with serving(recorder) as server, connected(server.port) as client:
        client.send(head("PUT /bucket/key", "Content-Length: 11", "Expect: 100-continue", "Content-MD5: x"))
        answer = await client.answer()
        assert (answer.status, answer.closes) == (400, True)
        assert b"<Code>InvalidDigest</Code>" in answer.body


async def test_no_100_continue_to_http_1_0() -> None:
    """It knows no interim answers (RFC 9110 section 10.1.1)."""
    recorder = Recorder()
    async with serving(recorder) as server, connected(server.port) as client:
        client.send(b"PUT /bucket/key HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
        assert (await client.answer()).status == 200
        assert recorder.last.body == b"hello"
