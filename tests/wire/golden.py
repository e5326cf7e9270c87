"""Requests as bytes, what they mean, and the answers as bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from multidict import CIMultiDict
from wire.rig import DATE, head, ok

from s3d.s3.message import S3Response

_DATE_LINE = f"Date: {DATE}\r\n"
OK = f"HTTP/1.1 200 OK\r\n{_DATE_LINE}Content-Length: 0\r\n\r\n".encode()
OK_CLOSE = f"HTTP/1.1 200 OK\r\n{_DATE_LINE}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
HELLO = b"hello world"
HELLO_SHA256 = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
SIGNATURE = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
CREDENTIAL = "AKIDEXAMPLE/20260101/us-east-1/s3/aws4_request"
V4 = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=host;x-amz-date, Signature={SIGNATURE}"
V4_LINES = (f"Authorization: {V4}", "x-amz-date: 20260101T000000Z")
PRESIGNED_V4 = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date={date}&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host&X-Amz-Signature=" + SIGNATURE
)
FAR = "99991231T000000Z"


async def _stream(*pieces: bytes) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece


@dataclass(frozen=True)
class Exchange:
    """``request`` bytes; what the Backend is to receive; what it answers, and the bytes that this becomes."""

    name: str
    request: bytes
    operation: str
    bucket: str | None = None
    key: str | None = None
    method: str = "GET"
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    payload_sha256: str | None = None
    gives: Callable[[], S3Response] = ok
    wire: bytes = OK
    interim: bytes = b""
    """What comes before the answer, once."""
    closes: bool = False


def _chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


ADDRESSES = [
    Exchange("list buckets", head("GET /"), "ListBuckets"),
    Exchange(
        "bucket by path",
        head("HEAD /bucket"),
        "HeadBucket",
        "bucket",
        method="HEAD",
        wire=OK.replace(b"Content-Length: 0\r\n", b""),
    ),
    Exchange(
        "bucket by path with a slash",
        head("GET /bucket/?list-type=2&prefix=a%2Fb+c"),
        "ListObjectsV2",
        "bucket",
        query=[("list-type", "2"), ("prefix", "a/b c")],
    ),
    Exchange("key by path", head("GET /bucket/key"), "GetObject", "bucket", "key"),
    Exchange("key by host", head("GET /key", host="bucket.localhost:33333"), "GetObject", "bucket", "key"),
    Exchange("dotted bucket by host", head("GET /a/b", host="My.Bucket.LOCALHOST"), "GetObject", "my.bucket", "a/b"),
    Exchange(
        "bucket by host",
        head("GET /?uploads", host="bucket.localhost"),
        "ListMultipartUploads",
        "bucket",
        query=[("uploads", "")],
    ),
    Exchange("slashes and dots", head("GET /bucket//a//../b/./c/"), "GetObject", "bucket", "/a//../b/./c/"),
    Exchange("slash is the key by host", head("GET //", host="bucket.localhost"), "GetObject", "bucket", "/"),
    Exchange("escapes", head("GET /bucket/%2F%2f%252F+%20%2B%00"), "GetObject", "bucket", "//%2F+ +\0"),
    Exchange("bytes that are not UTF-8", head("GET /bucket/%ff%C3%A9"), "GetObject", "bucket", "\udcff\u00e9"),
    Exchange(
        "a hash sign is part of the key",
        head("GET /bucket/a#b?versionId=1"),
        "GetObject",
        "bucket",
        "a#b",
        query=[("versionId", "1")],
    ),
    Exchange(
        "absolute form",
        head("GET http://localhost/bucket/key?acl"),
        "GetObjectAcl",
        "bucket",
        "key",
        query=[("acl", "")],
    ),
    Exchange("empty parameters", head("GET /bucket/key?&&acl&"), "GetObjectAcl", "bucket", "key", query=[("acl", "")]),
    Exchange(
        "unknown subresource",
        head("GET /bucket/key?frobnicate=1"),
        "Unknown",
        "bucket",
        "key",
        query=[("frobnicate", "1")],
    ),
    Exchange("a key of 1024 bytes", head("GET /bucket/" + "k" * 1024), "GetObject", "bucket", "k" * 1024),
]

HEADERS = [
    Exchange(
        "metadata and conditions",
        head(
            "GET /bucket/key",
            "Range: bytes=0-9",
            'If-Match: "e"',
            "x-amz-meta-A: \u00e9  b",
            "X-Custom: 1",
            "Cookie: x",
        ),
        "GetObject",
        "bucket",
        "key",
        headers={"range": "bytes=0-9", "if-match": '"e"', "x-amz-meta-a": "\u00e9  b", "x-custom": "1", "cookie": "x"},
    ),
    Exchange(
        "fields of the connection stay here",
        head(
            "GET /bucket/key",
            "Connection: keep-alive, X-Hop",
            "X-Hop: 1",
            "Keep-Alive: 5",
            "TE: trailers",
            "Upgrade: h2c",
            "Proxy-Authorization: x",
            "User-Agent: u",
        ),
        "GetObject",
        "bucket",
        "key",
        headers={"user-agent": "u"},
    ),
    Exchange(
        "bytes that are no UTF-8",
        b"GET /bucket/key HTTP/1.1\r\nHost: localhost\r\nx-amz-meta-a: \xff\xe9\r\n\r\n",
        "GetObject",
        "bucket",
        "key",
        headers={"x-amz-meta-a": "\udcff\udce9"},
    ),
    Exchange(
        "empty value and blanks",
        b"GET /bucket/key HTTP/1.1\r\nHost: localhost\r\nx-amz-meta-a:\r\nx-amz-meta-b: \t b \t\r\n\r\n",
        "GetObject",
        "bucket",
        "key",
        headers={"x-amz-meta-a": "", "x-amz-meta-b": "b"},
    ),
    Exchange("an empty line in front", b"\r\n" + head("GET /bucket/key"), "GetObject", "bucket", "key"),
    Exchange(
        "closing",
        head("GET /bucket/key", "Connection: close"),
        "GetObject",
        "bucket",
        "key",
        wire=OK_CLOSE,
        closes=True,
    ),
    Exchange("HTTP/1.0", b"GET /bucket/key HTTP/1.0\r\n\r\n", "GetObject", "bucket", "key", wire=OK_CLOSE, closes=True),
    Exchange(
        "HTTP/1.0 keep-alive",
        b"GET /bucket/key HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GetObject",
        "bucket",
        "key",
        wire=OK.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"),
    ),
]

SIGNED = [
    Exchange(
        "signed header",
        head("GET /bucket/key", *V4_LINES, "x-amz-content-sha256: UNSIGNED-PAYLOAD", "x-amz-security-token: t"),
        "GetObject",
        "bucket",
        "key",
    ),
    Exchange(
        "signed with a digest",
        head("PUT /bucket/key", *V4_LINES, f"x-amz-content-sha256: {HELLO_SHA256}", "Content-Length: 11") + HELLO,
        "PutObject",
        "bucket",
        "key",
        "PUT",
        body=HELLO,
        payload_sha256=HELLO_SHA256,
    ),
    Exchange(
        "presigned, version 4",
        head("GET /bucket/key?" + PRESIGNED_V4.format(date=FAR, expires=0) + "&versionId=v"),
        "GetObject",
        "bucket",
        "key",
        query=[("versionId", "v")],
    ),
    Exchange(
        "presigned, version 2",
        head("GET /bucket/key?AWSAccessKeyId=A&Signature=abc%3D&Expires=9999999999&response-content-type=a%2Fb"),
        "GetObject",
        "bucket",
        "key",
        query=[("response-content-type", "a/b")],
    ),
    Exchange(
        "presigned, with headers in the query",
        head(
            "GET /bucket/key?x-amz-checksum-mode=ENABLED&" + PRESIGNED_V4.format(date=FAR, expires=0) + "&versionId=v"
        ),
        "GetObject",
        "bucket",
        "key",
        query=[("versionId", "v")],
        headers={"x-amz-checksum-mode": "ENABLED"},
    ),
    Exchange(
        "presigned put",
        head(
            "PUT /bucket/key?" + PRESIGNED_V4.format(date=FAR, expires=0),
            "Content-Length: 11",
            "Content-Type: text/plain",
        )
        + HELLO,
        "PutObject",
        "bucket",
        "key",
        "PUT",
        headers={"content-type": "text/plain"},
        body=HELLO,
    ),
    Exchange(
        "the old authorization header",
        head("GET /bucket/key", "Authorization: AWS AKID:c2ln", f"Date: {DATE}"),
        "GetObject",
        "bucket",
        "key",
    ),
]

BODIES = [
    Exchange(
        "plain",
        head("PUT /bucket/key", "Content-Length: 11", "Content-MD5: XrY7u+Ae7tCTyyK7j1rNww==") + HELLO,
        "PutObject",
        "bucket",
        "key",
        "PUT",
        headers={"content-md5": "XrY7u+Ae7tCTyyK7j1rNww=="},
        body=HELLO,
    ),
    Exchange("empty", head("PUT /bucket/key", "Content-Length: 0"), "PutObject", "bucket", "key", "PUT"),
    Exchange(
        "chunked",
        head("PUT /bucket/key", "Transfer-Encoding: chunked") + _chunked(b"hello", b" world"),
        "PutObject",
        "bucket",
        "key",
        "PUT",
        body=HELLO,
        wire=OK_CLOSE,
        closes=True,
    ),
    Exchange(
        "chunked and empty",
        head("PUT /bucket/key", "Transfer-Encoding: chunked") + _chunked(),
        "PutObject",
        "bucket",
        "key",
        "PUT",
        wire=OK_CLOSE,
        closes=True,
    ),
    Exchange(
        "chunked with extension and trailer",
        head("PUT /bucket/key", "Transfer-Encoding: chunked")
        + b"5;x=y\r\nhello\r\n0006\r\n world\r\n0\r\nX-T: 1\r\n\r\n",
        "PutObject",
        "bucket",
        "key",
        "PUT",
        body=HELLO,
        wire=OK_CLOSE,
        closes=True,
    ),
    Exchange(
        "aws-chunked, signed",
        head(
            "PUT /bucket/key",
            *V4_LINES,
            "Content-Encoding: aws-chunked,gzip",
            "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "x-amz-decoded-content-length: 11",
            "Content-Length: 183",
        )
        + f"b;chunk-signature={SIGNATURE}\r\nhello world\r\n0;chunk-signature={SIGNATURE}\r\n\r\n".encode(),
        "PutObject",
        "bucket",
        "key",
        "PUT",
        headers={"content-encoding": "gzip"},
        body=HELLO,
    ),
    Exchange(
        "aws-chunked with a trailer, in chunks",
        head(
            "PUT /bucket/key",
            "Content-Encoding: aws-chunked",
            "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-decoded-content-length: 11",
            "x-amz-trailer: x-amz-checksum-crc32",
            "Transfer-Encoding: chunked",
        )
        + _chunked(b"b\r\nhello ", b"world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"),
        "PutObject",
        "bucket",
        "key",
        "PUT",
        headers={"x-amz-checksum-crc32": "DUoRhQ=="},
        body=HELLO,
        wire=OK_CLOSE,
        closes=True,
    ),
    Exchange(
        "told to go on",
        head("PUT /bucket/key", "Content-Length: 11", "Expect: 100-continue") + HELLO,
        "PutObject",
        "bucket",
        "key",
        "PUT",
        body=HELLO,
        interim=b"HTTP/1.1 100 Continue\r\n\r\n",
    ),
    Exchange(
        "POST",
        head("POST /bucket/key?uploads", "Content-Length: 0"),
        "CreateMultipartUpload",
        "bucket",
        "key",
        "POST",
        query=[("uploads", "")],
    ),
    Exchange(
        "GET with a body",
        head("GET /bucket/key", "Content-Length: 11") + HELLO,
        "GetObject",
        "bucket",
        "key",
        body=HELLO,
    ),
    Exchange(
        "an unknown method of S3",
        head("PATCH /bucket/key", "Content-Length: 11") + HELLO,
        "Unknown",
        "bucket",
        "key",
        "PATCH",
        body=HELLO,
    ),
    Exchange(
        "preflight",
        head(
            "OPTIONS /bucket/key",
            "Origin: http://o",
            "Access-Control-Request-Method: PUT",
            "Sec-Fetch-Site: same-origin",
        ),
        "PreflightRequest",
        "bucket",
        "key",
        "OPTIONS",
        headers={"origin": "http://o", "access-control-request-method": "PUT", "sec-fetch-site": "same-origin"},
    ),
]

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
        wire=f'HTTP/1.1 200 OK\r\n{_DATE_LINE}ETag: "e"\r\nContent-Length: 11\r\n\r\nhello world'.encode(),
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
        wire=f"HTTP/1.1 200 OK\r\n{_DATE_LINE}Content-Length: 11\r\n\r\nhello world".encode(),
    ),
    Exchange(
        "a stream of unknown length",
        head("GET /bucket/key"),
        "GetObject",
        "bucket",
        "key",
        gives=lambda: S3Response(200, CIMultiDict({"Date": DATE}), _stream(b"hello", b" world")),
        wire=f"HTTP/1.1 200 OK\r\n{_DATE_LINE}Transfer-Encoding: chunked\r\n\r\n".encode()
        + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    ),
    Exchange(
        "a stream of unknown length to HTTP/1.0",
        b"GET /bucket/key HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GetObject",
        "bucket",
        "key",
        gives=lambda: S3Response(200, CIMultiDict({"Date": DATE}), _stream(HELLO)),
        wire=f"HTTP/1.1 200 OK\r\n{_DATE_LINE}Connection: close\r\n\r\nhello world".encode(),
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
        wire=f"HTTP/1.1 200 OK\r\n{_DATE_LINE}Content-Length: 5000000000\r\n\r\n".encode(),
    ),
    Exchange(
        "no content",
        head("DELETE /bucket/key"),
        "DeleteObject",
        "bucket",
        "key",
        "DELETE",
        gives=lambda: ok(status=204),
        wire=f"HTTP/1.1 204 No Content\r\n{_DATE_LINE}\r\n".encode(),
    ),
    Exchange(
        "not modified",
        head("GET /bucket/key", 'If-None-Match: "e"'),
        "GetObject",
        "bucket",
        "key",
        headers={"if-none-match": '"e"'},
        gives=lambda: ok(status=304, ETag='"e"'),
        wire=f'HTTP/1.1 304 Not Modified\r\n{_DATE_LINE}ETag: "e"\r\n\r\n'.encode(),
    ),
    Exchange(
        "an error of the remote",
        head("GET /bucket/key"),
        "GetObject",
        "bucket",
        "key",
        gives=lambda: ok(_XML, 404, x_amz_request_id="R"),
        wire=f"HTTP/1.1 404 Not Found\r\n{_DATE_LINE}x-amz-request-id: R\r\nContent-Length: {len(_XML)}\r\n\r\n".encode()
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

EXCHANGES = [*ADDRESSES, *HEADERS, *SIGNED, *BODIES, *ANSWERS]
