"""Answers of the Backend, and the bytes that they become."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from multidict import CIMultiDict
from wire.exchange import DATE_LINE, HELLO, OK, Exchange
from wire.rig import DATE, head, ok

from s3d.s3.message import S3Response


async def _stream(*pieces: bytes) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece


_XML = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>'


def _odd_headers() -> S3Response:
    fields = [
        ("date", DATE),
        ("X-Amz-Meta-A", "\u00e9"),
        ("x-amz-meta-b", "\udcff"),
        ("Vary", "a"),
        ("Vary", "b"),
        ("ETag", '"e"'),
    ]
    return S3Response(206, CIMultiDict(fields), b"part")


ANSWERS = [
    Exchange(
        "bytes",
        head("GET /bucket/key"),
        "GetObject",
        "bucket",
        "key",
        gives=lambda: ok(HELLO, ETag='"e"'),
        wire=f'HTTP/1.1 200 OK\r\n{DATE_LINE}ETag: "e"\r\nContent-Length: 11\r\n\r\nhello world'.encode(),
    ),
    Exchange(
        "headers as they are",
        head("GET /bucket/key"),
        "GetObject",
        "bucket",
        "key",
        gives=_odd_headers,
        wire=f"HTTP/1.1 206 Partial Content\r\ndate: {DATE}\r\nX-Amz-Meta-A: \u00e9\r\nx-amz-meta-b: ".encode()
        + b'\xff\r\nVary: a\r\nVary: b\r\nETag: "e"\r\nContent-Length: 4\r\n\r\npart',
    ),
    Exchange(
        "a stream of known length",
        head("GET /bucket/key"),
        "GetObject",
        "bucket",
        "key",
        gives=lambda: S3Response(
            200, CIMultiDict({"Date": DATE, "Content-Length": "11"}), _stream(b"hello", b"", b" world")
        ),
        wire=f"HTTP/1.1 200 OK\r\n{DATE_LINE}Content-Length: 11\r\n\r\nhello world".encode(),
    ),
    Exchange(
        "a stream of unknown length",
        head("GET /bucket/key"),
        "GetObject",
        "bucket",
        "key",
        gives=lambda: S3Response(200, CIMultiDict({"Date": DATE}), _stream(b"hello", b" world")),
        wire=f"HTTP/1.1 200 OK\r\n{DATE_LINE}Transfer-Encoding: chunked\r\n\r\n".encode()
        + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    ),
    Exchange(
        "a stream of unknown length to HTTP/1.0",
        b"GET /bucket/key HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GetObject",
        "bucket",
        "key",
        gives=lambda: S3Response(200, CIMultiDict({"Date": DATE}), _stream(HELLO)),
        wire=f"HTTP/1.1 200 OK\r\n{DATE_LINE}Connection: close\r\n\r\nhello world".encode(),
        closes=True,
    ),
    Exchange(
        "the answer to HEAD",
        head("HEAD /bucket/key"),
        "HeadObject",
        "bucket",
        "key",
        "HEAD",
        gives=lambda: ok(Content_Length="5000000000"),
        wire=f"HTTP/1.1 200 OK\r\n{DATE_LINE}Content-Length: 5000000000\r\n\r\n".encode(),
    ),
    Exchange(
        "no content",
        head("DELETE /bucket/key"),
        "DeleteObject",
        "bucket",
        "key",
        "DELETE",
        gives=lambda: ok(status=204),
        wire=f"HTTP/1.1 204 No Content\r\n{DATE_LINE}\r\n".encode(),
    ),
    Exchange(
        "not modified",
        head("GET /bucket/key", 'If-None-Match: "e"'),
        "GetObject",
        "bucket",
        "key",
        headers={"if-none-match": '"e"'},
        gives=lambda: ok(status=304, ETag='"e"'),
        wire=f'HTTP/1.1 304 Not Modified\r\n{DATE_LINE}ETag: "e"\r\n\r\n'.encode(),
    ),
    Exchange(
        "an error of the remote",
        head("GET /bucket/key"),
        "GetObject",
        "bucket",
        "key",
        gives=lambda: ok(_XML, 404, x_amz_request_id="R"),
        wire=f"HTTP/1.1 404 Not Found\r\n{DATE_LINE}x-amz-request-id: R\r\nContent-Length: {len(_XML)}\r\n\r\n".encode()
        + _XML,
    ),
    Exchange(
        "a reason of its own",
        head("GET /bucket/key"),
        "GetObject",
        "bucket",
        "key",
        gives=lambda: S3Response(299, CIMultiDict({"Date": DATE}), b"", "So So"),
        wire=OK.replace(b"200 OK", b"299 So So"),
    ),
]
