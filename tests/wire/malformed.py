"""Requests that are wrong, each with the answer that it gets. The Backend sees none of them whole."""

from __future__ import annotations

from dataclasses import dataclass

from wire.exchange import FAR, HELLO, PRESIGNED_V4, SIGNATURE, V4
from wire.rig import head


@dataclass(frozen=True)
class Malformed:
    """``code`` and ``status`` of the answer; ``keep``: the framing is known, so that the connection goes on.

    Two codes with ``|``: which one depends on how the bytes arrive. A broken chunk that comes with the head makes the
    request no request at all (BadRequest); one that comes later ends a body.
    """

    name: str
    request: bytes
    code: str
    status: int = 400
    keep: bool = False
    end: bool = False
    """The client ends its side after the request, which is not whole. Then there is nobody to answer."""
    method: str = "GET"


def put(*fields: str, body: bytes = HELLO, length: int | None = None, target: str = "/bucket/key") -> bytes:
    """A PUT with a right Content-Length unless another is given."""
    return head(f"PUT {target}", *fields, f"Content-Length: {len(body) if length is None else length}") + body


def raw(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunks(body: bytes, *fields: str) -> bytes:
    return head("PUT /bucket/key", "Transfer-Encoding: chunked", *fields) + body


def unsigned(body: bytes, *fields: str, length: object = 11, trailer: str = "x-amz-checksum-crc32") -> bytes:
    """aws-chunked, unsigned, with a trailer."""
    sha = "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    decoded = f"x-amz-decoded-content-length: {length}"
    return put("Content-Encoding: aws-chunked", sha, decoded, f"x-amz-trailer: {trailer}", *fields, body=body)


def signed(body: bytes, *fields: str, length: object = 11) -> bytes:
    """aws-chunked, signed, without trailers."""
    sha = "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    return put(
        f"Authorization: {V4}",
        "x-amz-date: 20260101T000000Z",
        sha,
        f"x-amz-decoded-content-length: {length}",
        *fields,
        body=body,
    )


def presigned(**parts: object) -> bytes:
    query = PRESIGNED_V4.format(date=parts.pop("date", FAR), expires=parts.pop("expires", 0))
    for name, value in parts.items():
        old = next(pair for pair in query.split("&") if pair.startswith(f"X-Amz-{name}="))
        query = query.replace(old, "" if value is None else f"X-Amz-{name}={value}")
    return head(f"GET /bucket/key?{query}")


def authorized(value: str, *fields: str) -> bytes:
    return head("GET /bucket/key", f"Authorization: {value}", *(fields or ("x-amz-date: 20260101T000000Z",)))


_SIG = SIGNATURE.encode()
_TRAILER = b"x-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
_HOST = "Host: localhost"

HTTP = [
    Malformed("no HTTP at all", b"hello\r\n\r\n", "BadRequest"),
    Malformed("HTTP/0.9", b"GET /bucket/key\r\n\r\n", "BadRequest"),
    Malformed("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "BadRequest"),
    Malformed("HTTP/3.7", raw("GET /bucket/key HTTP/3.7", _HOST), "BadRequest"),
    Malformed("a TLS hello", bytes.fromhex("16030100a5010000a10303") + b"\x00" * 160, "BadRequest"),
    Malformed("an unknown method", raw("FROB /bucket/key HTTP/1.1", _HOST), "BadRequest"),
    Malformed("a method in lower case", raw("get /bucket/key HTTP/1.1", _HOST), "BadRequest"),
    Malformed("a blank in the target", raw("GET /bucket/a key HTTP/1.1", _HOST), "BadRequest"),
    Malformed("a control byte in the target", raw("GET /bucket/a\x01key HTTP/1.1", _HOST), "BadRequest"),
    Malformed("NUL in the target", raw("GET /bucket/a\x00key HTTP/1.1", _HOST), "BadRequest"),
    Malformed("bytes beyond ASCII in the target", raw("GET /bucket/\xc3\xa9 HTTP/1.1", _HOST), "BadRequest"),
    Malformed(
        "a request line that is too long",
        raw(f"GET /bucket/{'k' * 70000} HTTP/1.1", _HOST),
        "RequestHeaderSectionTooLarge",
    ),
    Malformed(
        "a header that is too long",
        head("GET /bucket/key", f"x-amz-meta-a: {'v' * 70000}"),
        "RequestHeaderSectionTooLarge",
    ),
    Malformed(
        "a header name that is too long",
        head("GET /bucket/key", f"x-amz-meta-{'n' * 70000}: v"),
        "RequestHeaderSectionTooLarge",
    ),
    Malformed("a flood of headers", head("GET /bucket/key", *(f"x-{i}: 1" for i in range(2000))), "BadRequest"),
    Malformed("a header without a colon", raw("GET /bucket/key HTTP/1.1", _HOST, "nonsense"), "BadRequest"),
    Malformed("a header without a name", raw("GET /bucket/key HTTP/1.1", _HOST, ": v"), "BadRequest"),
    Malformed("a blank before the colon", raw("GET /bucket/key HTTP/1.1", _HOST, "x-amz-meta-a : v"), "BadRequest"),
    Malformed("a folded header", raw("GET /bucket/key HTTP/1.1", _HOST, "x-amz-meta-a: v", " w"), "BadRequest"),
    Malformed("NUL in a header", raw("GET /bucket/key HTTP/1.1", _HOST, "x-amz-meta-a: a\x00b"), "BadRequest"),
    Malformed(
        "a control byte in a header", raw("GET /bucket/key HTTP/1.1", _HOST, "x-amz-meta-a: a\x01b"), "BadRequest"
    ),
    Malformed(
        "a carriage return in a header", raw("GET /bucket/key HTTP/1.1", _HOST, "x-amz-meta-a: a\rb: c"), "BadRequest"
    ),
    Malformed("lines that end with a newline only", b"GET /bucket/key HTTP/1.1\nHost: localhost\n\n", "BadRequest"),
    Malformed("no Host", raw("GET /bucket/key HTTP/1.1"), "BadRequest"),
    Malformed("two Hosts", raw("GET /bucket/key HTTP/1.1", _HOST, "Host: other.localhost"), "BadRequest"),
    Malformed("an absolute target of another scheme", head("GET ftp://localhost/bucket/key"), "InvalidURI", keep=True),
    Malformed("CONNECT", raw("CONNECT localhost:80 HTTP/1.1", _HOST), "MethodNotAllowed", 405, keep=True),
    Malformed("a broken escape", head("GET /bucket/%zz"), "InvalidURI", keep=True),
    Malformed("half an escape", head("GET /bucket/key%4"), "InvalidURI", keep=True),
    Malformed("a broken escape in the query", head("GET /bucket?prefix=%"), "InvalidURI", keep=True),
]

FRAMING = [
    Malformed("no length", raw("PUT /bucket/key HTTP/1.1", _HOST), "MissingContentLength", 411, keep=True),
    Malformed("a length that is no number", put(length=0).replace(b"gth: 0", b"gth: eleven"), "BadRequest"),
    Malformed("a negative length", put(length=-1), "BadRequest"),
    Malformed("a length with a sign", put().replace(b"gth: 11", b"gth: +11"), "BadRequest"),
    Malformed("a hexadecimal length", put().replace(b"gth: 11", b"gth: 0xb"), "BadRequest"),
    Malformed("a length beyond 64 bits", put(length=10**30), "BadRequest"),
    Malformed("an empty length", put().replace(b"gth: 11", b"gth: "), "BadRequest"),
    Malformed("two lengths that differ", put("Content-Length: 5"), "BadRequest"),
    Malformed("the same length twice", put("Content-Length: 11"), "BadRequest"),
    Malformed("a list of lengths", put().replace(b"gth: 11", b"gth: 11, 11"), "BadRequest"),
    Malformed(
        "a length and chunks",
        put("Transfer-Encoding: chunked", body=b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"),
        "BadRequest",
    ),
    Malformed(
        "chunks and a length",
        head("PUT /bucket/key", "Transfer-Encoding: chunked", "Content-Length: 4") + b"0\r\n\r\n",
        "BadRequest",
    ),
    Malformed("chunks, twice", chunks(b"0\r\n\r\n", "Transfer-Encoding: chunked"), "BadRequest"),
    Malformed(
        "chunked is not the last coding",
        head("PUT /bucket/key", "Transfer-Encoding: chunked, gzip") + b"0\r\n\r\n",
        "BadRequest",
    ),
    Malformed(
        "an unknown transfer coding",
        head("PUT /bucket/key", "Transfer-Encoding: xchunked") + b"0\r\n\r\n",
        "BadRequest",
    ),
    Malformed(
        "a disguised transfer coding",
        head("PUT /bucket/key", "Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n",
        "BadRequest",
    ),
    Malformed("a chunk size that is no number", chunks(b"zz\r\nhello\r\n0\r\n\r\n"), "BadRequest|IncompleteBody"),
    Malformed("a negative chunk size", chunks(b"-5\r\nhello\r\n0\r\n\r\n"), "BadRequest|IncompleteBody"),
    Malformed(
        "a chunk size beyond 64 bits", chunks(b"f" * 20 + b"\r\nhello\r\n0\r\n\r\n"), "BadRequest|IncompleteBody"
    ),
    Malformed("a chunk that is longer than its size", chunks(b"3\r\nhello\r\n0\r\n\r\n"), "BadRequest|IncompleteBody"),
    Malformed("a second chunk that is broken", chunks(b"5\r\nhello\r\nq\r\n\r\n"), "BadRequest|IncompleteBody"),
    Malformed("chunks end early", chunks(b"5\r\nhello\r\n"), "IncompleteBody", end=True),
    Malformed("a body that ends early", put(length=12), "IncompleteBody", end=True),
    Malformed("a large body that ends early", put(length=1 << 20, body=b"x" * 300_000), "IncompleteBody", end=True),
]

CHUNKED = [
    Malformed(
        "no decoded length",
        signed(b"", length="").replace(b"x-amz-decoded-content-length: \r\n", b""),
        "MissingContentLength",
        411,
        keep=True,
    ),
    Malformed(
        "a decoded length that is no number", signed(b"x", length="eleven"), "MissingContentLength", 411, keep=True
    ),
    Malformed(
        "a decoded length of 5000 digits", signed(b"x", length="9" * 5000), "MissingContentLength", 411, keep=True
    ),
    Malformed("a negative decoded length", signed(b"x", length=-1), "MissingContentLength", 411, keep=True),
    Malformed(
        "a decoded length that is too small",
        unsigned(b"b\r\nhello world\r\n0\r\n" + _TRAILER, length=10),
        "IncompleteBody",
        keep=True,
    ),
    Malformed(
        "a decoded length that is too large",
        unsigned(b"b\r\nhello world\r\n0\r\n" + _TRAILER, length=12),
        "IncompleteBody",
        keep=True,
    ),
    Malformed(
        "a decoded length of nothing",
        unsigned(b"b\r\nhello world\r\n0\r\n" + _TRAILER, length=0),
        "IncompleteBody",
        keep=True,
    ),
    Malformed(
        "a chunk without its signature",
        signed(b"b\r\nhello world\r\n0\r\n\r\n"),
        "SignatureDoesNotMatch",
        403,
        keep=True,
    ),
    Malformed(
        "a chunk signature that is too short",
        signed(b"b;chunk-signature=ab\r\nhello world\r\n"),
        "SignatureDoesNotMatch",
        403,
        keep=True,
    ),
    Malformed(
        "a chunk signature that is not hexadecimal",
        signed(b"b;chunk-signature=" + b"z" * 64 + b"\r\nhello world\r\n"),
        "SignatureDoesNotMatch",
        403,
        keep=True,
    ),
    Malformed(
        "the last chunk is missing",
        signed(b"b;chunk-signature=" + _SIG + b"\r\nhello world\r\n"),
        "IncompleteBody",
        keep=True,
    ),
    Malformed(
        "an aws-chunk size that is no number",
        signed(b"q;chunk-signature=" + _SIG + b"\r\nhello world\r\n"),
        "IncompleteBody",
        keep=True,
    ),
    Malformed(
        "an aws-chunk longer than its size",
        signed(b"3;chunk-signature=" + _SIG + b"\r\nhello world\r\n"),
        "IncompleteBody",
        keep=True,
    ),
    Malformed("a size line without end", signed(b"1" * 5000), "IncompleteBody", keep=True),
    Malformed(
        "an unknown form of payload", put("x-amz-content-sha256: STREAMING-NONSENSE"), "InvalidArgument", keep=True
    ),
    Malformed("no trailer", unsigned(b"b\r\nhello world\r\n0\r\n\r\n"), "MalformedTrailerError", keep=True),
    Malformed(
        "another trailer than announced",
        unsigned(b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32c:yZRlqg==\r\n\r\n"),
        "MalformedTrailerError",
        keep=True,
    ),
    Malformed(
        "a trailer that is no header",
        unsigned(b"b\r\nhello world\r\n0\r\nnonsense\r\n\r\n"),
        "MalformedTrailerError",
        keep=True,
    ),
    Malformed(
        "a trailer without end",
        unsigned(b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:" + b"A" * 20000),
        "MalformedTrailerError",
        keep=True,
    ),
    Malformed(
        "an unknown trailer",
        unsigned(b"b\r\nhello world\r\n0\r\n" + _TRAILER, trailer="x-amz-frob"),
        "InvalidRequest",
        keep=True,
    ),
    Malformed(
        "a trailer that does not hold",
        unsigned(b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"),
        "BadDigest",
        keep=True,
    ),
    Malformed(
        "a trailer that is no checksum",
        unsigned(b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:QQ==\r\n\r\n"),
        "InvalidRequest",
        keep=True,
    ),
]

DIGESTS = [
    Malformed("an MD5 that does not hold", put("Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg=="), "BadDigest", keep=True),
    Malformed("an MD5 that is no base64", put("Content-MD5: %%%"), "InvalidDigest", keep=True),
    Malformed("an MD5 that is too short", put("Content-MD5: QUJD"), "InvalidDigest", keep=True),
    Malformed("an empty MD5", put("Content-MD5:"), "InvalidDigest", keep=True),
    Malformed(
        "a payload hash that does not hold",
        put(f"x-amz-content-sha256: {'0' * 64}"),
        "XAmzContentSHA256Mismatch",
        keep=True,
    ),
    Malformed(
        "a payload hash of no body",
        put(f"x-amz-content-sha256: {'0' * 64}", body=b""),
        "XAmzContentSHA256Mismatch",
        keep=True,
    ),
    Malformed("a payload hash that is none", put("x-amz-content-sha256: abc"), "InvalidArgument", keep=True),
    Malformed("a checksum that does not hold", put("x-amz-checksum-crc32: AAAAAA=="), "BadDigest", keep=True),
    Malformed("a checksum that is none", put("x-amz-checksum-sha256: QUJD"), "InvalidRequest", keep=True),
    Malformed(
        "two checksums",
        put("x-amz-checksum-crc32: DUoRhQ==", "x-amz-checksum-crc32c: yZRlqg=="),
        "InvalidRequest",
        keep=True,
    ),
    Malformed(
        "a large body with a wrong MD5",
        put("Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==", body=b"x" * 400_000),
        "BadDigest",
        keep=True,
    ),
    Malformed(
        "a large body in chunks with a wrong MD5",
        chunks(b"61a80\r\n" + b"x" * 400_000 + b"\r\n0\r\n\r\n", "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg=="),
        "BadDigest",
    ),
]

SIGNATURES = [
    Malformed("an unknown scheme", authorized("Basic dTpw"), "InvalidArgument", keep=True),
    Malformed("an empty Authorization", authorized(""), "AccessDenied", 403, keep=True),
    Malformed(
        "no credential", authorized(V4.replace("Credential=", "Cred=")), "AuthorizationHeaderMalformed", keep=True
    ),
    Malformed(
        "a credential without its scope",
        authorized(V4.replace("/20260101/us-east-1/s3/aws4_request", "")),
        "AuthorizationHeaderMalformed",
        keep=True,
    ),
    Malformed(
        "no signed headers",
        authorized(V4.replace("SignedHeaders", "Signed")),
        "AuthorizationHeaderMalformed",
        keep=True,
    ),
    Malformed(
        "no signature", authorized(V4.replace("Signature=" + SIGNATURE, "")), "AuthorizationHeaderMalformed", keep=True
    ),
    Malformed(
        "a signature that is not hexadecimal",
        authorized(V4.replace(SIGNATURE, "zz")),
        "AuthorizationHeaderMalformed",
        keep=True,
    ),
    Malformed("a signature of version 2 without its key", authorized("AWS :c2ln"), "InvalidArgument", keep=True),
    Malformed("no date", authorized(V4, "x-a: b"), "AccessDenied", 403, keep=True),
    Malformed("a date that is none", authorized(V4, "x-amz-date: yesterday"), "AccessDenied", 403, keep=True),
    Malformed("a day that is none", authorized(V4, "x-amz-date: 20260231T000000Z"), "AccessDenied", 403, keep=True),
    Malformed(
        "a Date beyond all years",
        authorized(V4, "Date: Mon, 01 Jan 99999999999999999999 00:00:00 GMT"),
        "AccessDenied",
        403,
        keep=True,
    ),
    Malformed(
        "a Date of 5000 digits",
        authorized(V4, f"Date: Mon, 01 Jan {'9' * 5000} 00:00:00 GMT"),
        "AccessDenied",
        403,
        keep=True,
    ),
]

PRESIGNED = [
    Malformed("expired", presigned(date="20200101T000000Z", expires=60), "AccessDenied", 403, keep=True),
    Malformed("no Expires", presigned(Expires=None), "AuthorizationQueryParametersError", keep=True),
    Malformed("Expires is no number", presigned(expires="soon"), "AuthorizationQueryParametersError", keep=True),
    Malformed("Expires is negative", presigned(expires=-1), "AuthorizationQueryParametersError", keep=True),
    Malformed("Expires is more than a week", presigned(expires=604801), "AuthorizationQueryParametersError", keep=True),
    Malformed("Expires of 5000 digits", presigned(expires="9" * 5000), "AuthorizationQueryParametersError", keep=True),
    Malformed("a presigned date that is none", presigned(date="today"), "AuthorizationQueryParametersError", keep=True),
    Malformed("no presigned date", presigned(Date=None), "AuthorizationQueryParametersError", keep=True),
    Malformed("no presigned credential", presigned(Credential=None), "AuthorizationQueryParametersError", keep=True),
    Malformed(
        "a malformed presigned credential", presigned(Credential="A/b"), "AuthorizationQueryParametersError", keep=True
    ),
    Malformed("an unknown algorithm", presigned(Algorithm="ROT13"), "AuthorizationQueryParametersError", keep=True),
    Malformed("no presigned signature", presigned(Signature=None), "AuthorizationQueryParametersError", keep=True),
    Malformed(
        "no list of signed headers", presigned(SignedHeaders=None), "AuthorizationQueryParametersError", keep=True
    ),
    Malformed(
        "version 2, expired",
        head("GET /bucket/key?AWSAccessKeyId=A&Signature=x&Expires=1"),
        "AccessDenied",
        403,
        keep=True,
    ),
    Malformed(
        "version 2, Expires is no number",
        head("GET /bucket/key?AWSAccessKeyId=A&Signature=x&Expires=x"),
        "AccessDenied",
        403,
        keep=True,
    ),
    Malformed(
        "version 2, no Expires", head("GET /bucket/key?AWSAccessKeyId=A&Signature=x"), "AccessDenied", 403, keep=True
    ),
    Malformed(
        "a page of another site", head("GET /bucket/key", "Sec-Fetch-Site: cross-site"), "AccessDenied", 403, keep=True
    ),
]

EARLY = [
    Malformed(
        "refused before the body, which waits",
        head("PUT /bucket/%zz", "Content-Length: 11", "Expect: 100-continue"),
        "InvalidURI",
    ),
    Malformed(
        "a checksum refused before the body",
        head("PUT /bucket/key", "Content-Length: 11", "Content-MD5: x", "Expect: 100-continue"),
        "InvalidDigest",
    ),
    Malformed("HEAD", head("HEAD /bucket/%zz"), "", keep=True, method="HEAD"),
]

MALFORMED = [*HTTP, *FRAMING, *CHUNKED, *DIGESTS, *SIGNATURES, *PRESIGNED, *EARLY]
