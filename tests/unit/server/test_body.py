"""What the head says about a body. The bodies themselves are in tests/wire/test_bodies.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from multidict import CIMultiDict

from s3d.s3.checksums import declared
from s3d.s3.errors import S3Error
from s3d.server.body import ReceivedBody, read_framing

UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def framing(operation: str = "PutObject", length: int | None = None, **headers: str) -> Any:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    http: Any = SimpleNamespace(headers=named, content_length=length)
    return read_framing(http, operation)


def test_plain() -> None:
    found = framing(length=5)
    assert (found.length, found.aws_chunked, found.trailers, found.content.sha256) == (5, False, frozenset(), None)
    assert framing(length=5, x_amz_content_sha256="AB" * 32).content.sha256 == "ab" * 32
    assert framing(Transfer_Encoding="chunked").length is None


@pytest.mark.parametrize(
    ("operation", "required"), [("PutObject", True), ("UploadPart", True), ("GetObject", False), ("CopyObject", False)]
)
def test_without_a_length(operation: str, required: bool) -> None:
    if not required:
        assert framing(operation).length == 0
        return
    with pytest.raises(S3Error, match="MissingContentLength"):
        framing(operation)


@pytest.mark.parametrize("coding", [{"Transfer_Encoding": "chunked"}, {}])
def test_aws_chunked(coding: dict[str, str]) -> None:
    found = framing(
        length=99,
        x_amz_content_sha256=UNSIGNED,
        x_amz_decoded_content_length="11",
        x_amz_trailer="x-amz-checksum-CRC32 , x-b",
        **coding,
    )
    assert (found.length, found.aws_chunked, found.trailers) == (11, True, {"x-amz-checksum-crc32", "x-b"})


def test_a_coding_is_not_enough() -> None:
    """An object may be stored with that Content-Encoding; only with the decoded length it is a transfer coding."""
    assert not framing(length=5, Content_Encoding="aws-chunked").aws_chunked
    assert framing(length=5, Content_Encoding="gzip,AWS-Chunked", x_amz_decoded_content_length="1").aws_chunked
    unsigned = {"x_amz_content_sha256": "UNSIGNED-PAYLOAD", "x_amz_decoded_content_length": "1"}
    assert framing(length=5, Content_Encoding="aws-chunked", **unsigned).aws_chunked
    hashed = {"x_amz_content_sha256": "ab" * 32, "x_amz_decoded_content_length": "1"}
    assert not framing(length=5, Content_Encoding="aws-chunked", **hashed).aws_chunked


@pytest.mark.parametrize("length", ["", "x", "-1", "1.0", "9" * 19, "\u0661"])
def test_a_decoded_length_that_is_none(length: str) -> None:
    with pytest.raises(S3Error, match="MissingContentLength"):
        framing(x_amz_content_sha256=UNSIGNED, x_amz_decoded_content_length=length)


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


async def test_the_last_piece_waits_until_all_is_verified() -> None:
    expectations = declared(CIMultiDict({"x-amz-checksum-crc32": "AAAAAA=="}))
    body = ReceivedBody(pieces(b"a", b"b", b"c"), 3, expectations)
    got = bytearray()

    async def receive() -> None:
        async for piece in body:
            got.extend(piece)

    with pytest.raises(S3Error, match="BadDigest"):
        await receive()
    assert got == b"ab"
    assert (body.length, body.replayable) == (3, False)


async def test_all_pieces_arrive_in_order() -> None:
    assert [piece async for piece in ReceivedBody(pieces(b"a", b"b"), 2, [])] == [b"a", b"b"]
    assert [piece async for piece in ReceivedBody(pieces(), 0, [])] == []
