"""Requests as bytes, what they mean, and the answers as bytes."""

from __future__ import annotations

from wire.exchange import FAR, HELLO, HELLO_SHA256, OK, OK_CLOSE, PRESIGNED_V4, SIGNATURE, V4_LINES, Exchange
from wire.golden_answers import ANSWERS
from wire.rig import DATE, head


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

_H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
UPGRADES = [
    Exchange(
        "an offer to upgrade", head("GET /bucket/key", *_H2C), "GetObject", "bucket", "key", wire=OK_CLOSE, closes=True
    ),
    Exchange(
        "an offer to upgrade with a body",
        head("PUT /bucket/key", *_H2C, "Content-Length: 11") + HELLO,
        "PutObject",
        "bucket",
        "key",
        "PUT",
        body=HELLO,
        wire=OK_CLOSE,
        closes=True,
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

EXCHANGES = [*ADDRESSES, *HEADERS, *SIGNED, *UPGRADES, *BODIES, *ANSWERS]
