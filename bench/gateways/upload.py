"""One very large upload, generated on the fly: plain, aws-chunked with a trailer, or in parts.

The content is 1 MiB of random bytes over and over, each time with its number in front, so that a lost or swapped piece
changes the digest.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import http.client
import os
import re
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from contender import request
from row import MIB
from signing import UNSIGNED, signed_head

_PART = 512 * MIB
_BLOCK = os.urandom(MIB)


class Uploaded(NamedTuple):
    """What went wrong ("400 <Error>..."), or ""; and the seconds of sending and waiting for the answer."""

    wrong: str
    seconds: float


def _blocks(size: int, *, first: int = 0) -> Iterator[memoryview]:
    """The content in pieces of at most 1 MiB. Each piece is gone when the next one is asked for."""
    block = bytearray(_BLOCK)
    for number in range(first, first + -(-size // MIB)):
        struct.pack_into(">Q", block, 0, number)
        yield memoryview(block)[: min(MIB, size - (number - first) * MIB)]


@functools.cache
def _md5(size: int, *, first: int = 0) -> str:
    digest = hashlib.md5()
    for block in _blocks(size, first=first):
        digest.update(block)
    return digest.hexdigest()


def upload_plain(url: str, path: str, size: int) -> Uploaded:
    """One PUT with UNSIGNED-PAYLOAD; the ETag must be the MD5 of what was sent."""
    etag = _md5(size)
    head = signed_head(url, "PUT", path, length=size, payload_hash=UNSIGNED)
    return _send(url, head, _blocks(size), etag)


def upload_chunked(url: str, path: str, size: int) -> Uploaded:
    """One PUT as the SDKs send it with a checksum of a stream: unsigned aws-chunked, CRC32 in the trailer."""
    frame = len(f"{MIB:x}\r\n") + 2
    full, rest = divmod(size, MIB)
    trailer_length = len("x-amz-checksum-crc32:AAAAAA==\r\n\r\n")
    length = full * (frame + MIB) + (len(f"{rest:x}\r\n") + rest + 2 if rest else 0) + len("0\r\n") + trailer_length
    head = signed_head(
        url,
        "PUT",
        path,
        length=length,
        payload_hash="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        headers={
            "Content-Encoding": "aws-chunked",
            "x-amz-decoded-content-length": str(size),
            "x-amz-sdk-checksum-algorithm": "CRC32",
            "x-amz-trailer": "x-amz-checksum-crc32",
        },
    )
    return _send(url, head, _framed(size), _md5(size))


def _framed(size: int) -> Iterator[bytes | memoryview]:
    crc = 0
    for block in _blocks(size):
        crc = zlib.crc32(block, crc)
        yield f"{len(block):x}\r\n".encode()
        yield block
        yield b"\r\n"
    yield b"0\r\nx-amz-checksum-crc32:" + base64.b64encode(struct.pack(">I", crc)) + b"\r\n\r\n"


def upload_multipart(url: str, path: str, size: int) -> Uploaded:
    """The same content as a multipart upload."""
    _, answer = request(url, "POST", path, query={"uploads": ""})
    found = re.search(rb"<UploadId>(.+?)</UploadId>", answer)
    if not found:
        return Uploaded(f"CreateMultipartUpload: {answer[:300]!r}", 0.0)
    upload_id = found[1].decode()
    parts = []
    seconds = 0.0
    for number, start in enumerate(range(0, size, _PART), 1):
        length = min(_PART, size - start)
        etag = _md5(length, first=start // MIB)
        query = {"partNumber": str(number), "uploadId": upload_id}
        head = signed_head(url, "PUT", path, query=query, length=length, payload_hash=UNSIGNED)
        part = _send(url, head, _blocks(length, first=start // MIB), etag)
        seconds += part.seconds
        if part.wrong:
            return Uploaded(part.wrong, seconds)
        parts.append(f'<Part><PartNumber>{number}</PartNumber><ETag>"{etag}"</ETag></Part>')
    document = f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>".encode()
    begun = time.perf_counter()
    status, answer = request(url, "POST", path, query={"uploadId": upload_id}, body=document)
    seconds += time.perf_counter() - begun
    return Uploaded("" if status == 200 and b"<ETag>" in answer else f"{status} {answer[:300]!r}", seconds)


def _send(url: str, head: bytes, body: Iterator[bytes | memoryview], etag: str) -> Uploaded:
    address = urlsplit(url)
    begun = time.perf_counter()
    with socket.create_connection((address.hostname, address.port), timeout=600) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # answered already: the answer says why
            connection.sendall(head)
            for piece in body:
                connection.sendall(piece)
        answer = http.client.HTTPResponse(connection, method="PUT")
        try:
            answer.begin()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return Uploaded(f"no answer: {error!r}", 0.0)
        seconds = time.perf_counter() - begun
        got = answer.headers.get("ETag", "").strip('"')
        if answer.status != 200:
            return Uploaded(f"{answer.status} {content[:300]!r}", seconds)
        return Uploaded("" if got == etag else f"ETag is {got}, not {etag}", seconds)
