"""What arrives at the remote: bodies whole or visibly not, each request as often as is safe, and byte for byte."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from wire.exchange import FAR, HELLO, PRESIGNED_V4, SIGNATURE
from wire.malformed import put, unsigned
from wire.raw_remote import OK, Conversation, Script, stack, well
from wire.rig import DATE, Client, connected, head
from wire.test_remote_answers import AWAY, ask, check_unavailable

SIZE = 600_000
DATA = b"x" * SIZE


async def swallows(talk: Conversation) -> None:
    """Reads a head, and then everything until the other side closes."""
    await talk.head()
    await talk.rest()


def never_whole(talk: Conversation) -> bool:
    """The connection ended, and less came than was announced."""
    return talk.ended and (not talk.requests or len(talk.body) < talk.requests[0].length)


async def send_slowly(client: Client, request: bytes) -> None:
    """In pieces that the server passes on one by one: it keeps the last one until all is well."""
    for start in range(0, len(request), 100_000):
        client.send(request[start : start + 100_000])
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
async def test_a_client_that_stops(reset: bool) -> None:
    async with stack(swallows, well) as s3d:
        async with connected(s3d.server.port) as client:
            await send_slowly(client, put(length=SIZE, body=DATA[:500_000]))
            await s3d.raw.until(lambda: bool(s3d.raw.requests))
            if reset:
                client.writer.transport.abort()
        await s3d.raw.until(lambda: s3d.raw.talks[0].ended)
        assert never_whole(s3d.raw.talks[0])
        await s3d.is_well()


BROKEN_CHUNK = f"{500_000:x};chunk-signature={SIGNATURE}\r\n".encode() + DATA[:500_000] + b"\r\nnonsense\r\n"
WRONG = {
    "MD5": put("Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==", body=DATA),
    "payload hash": put(f"x-amz-content-sha256: {'0' * 64}", body=DATA),
    "checksum": put("x-amz-checksum-crc32: AAAAAA==", body=DATA),
    "aws-chunk": put(
        "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        f"x-amz-decoded-content-length: {SIZE}",
        body=BROKEN_CHUNK,
    ),
}


@pytest.mark.parametrize("request_", WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_body(request_: bytes) -> None:
    async with stack(swallows, well) as s3d:
        await send_slowly(s3d.client, request_)
        answer = await s3d.client.answer()
        assert answer.status == 400
        await s3d.raw.until(lambda: s3d.raw.talks[0].ended)
        assert never_whole(s3d.raw.talks[0])
        await s3d.is_well()


async def test_a_client_that_is_too_slow() -> None:
    async with stack(swallows, well, client_idle=0.3) as s3d:
        await send_slowly(s3d.client, put(length=SIZE, body=DATA[:500_000]))
        answer = await s3d.client.answer()
        assert (answer.status, answer.closes) == (400, True)
        assert b"<Code>RequestTimeout</Code>" in answer.body
        await s3d.raw.until(lambda: s3d.raw.talks[0].ended)
        assert never_whole(s3d.raw.talks[0])
        await s3d.is_well()


async def test_a_slow_client_is_not_the_remotes_fault() -> None:
    """The deadlines on the remote stand still while the client pauses."""
    async with stack(well, response_timeout=0.2, idle_timeout=0.2) as s3d:
        s3d.client.send(put(length=SIZE, body=DATA[:500_000]))
        await asyncio.sleep(0.5)
        s3d.client.send(DATA[500_000:])
        assert (await s3d.client.answer()).status == 200
        assert s3d.raw.talks[0].body == DATA


async def test_a_wrong_trailer_never_leaves() -> None:
    """A body with its checksum at the end is checked before the remote hears of it."""
    body = b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n" % (SIZE, DATA)
    async with stack(well) as s3d:
        answer = await ask(s3d, unsigned(body, length=SIZE))
        assert answer.status == 400
        assert b"<Code>BadDigest</Code>" in answer.body
        assert not s3d.raw.talks


REFUSED = f"HTTP/1.1 403 Forbidden\r\nDate: {DATE}\r\nContent-Length: 8\r\n\r\n<Error/>".encode()


async def refuses_and_reads_on(talk: Conversation) -> None:
    await talk.head()
    talk.send(REFUSED)
    await talk.rest()


async def refuses_and_closes(talk: Conversation) -> None:
    await talk.head()
    talk.send(REFUSED.replace(b"Content-Length", b"Connection: close\r\nContent-Length"))


@pytest.mark.parametrize("script", [refuses_and_reads_on, refuses_and_closes])
async def test_an_answer_before_the_body_is_there(script: Script) -> None:
    """The client has sent half: it gets the remote's answer, and the half-sent connection is not used again."""
    async with stack(script, well) as s3d:
        await send_slowly(s3d.client, put(length=SIZE, body=DATA[:500_000]))
        answer = await s3d.client.answer()
        assert (answer.status, answer.body, answer.closes) == (403, b"<Error/>", True)
        if script is refuses_and_reads_on:
            await s3d.raw.until(lambda: s3d.raw.talks[0].ended)
            assert never_whole(s3d.raw.talks[0])
        await s3d.is_well()


async def test_a_remote_that_does_not_read(expected_log: list[str]) -> None:
    expected_log.append(AWAY)
    size = 64 << 20  # more than all the buffers on the way

    async def stops(talk: Conversation) -> None:
        await talk.head()
        talk.reader._transport.pause_reading()
        await talk.writer.wait_closed()

    async with stack(stops, well, idle_timeout=0.3) as s3d:
        s3d.client.send(put(length=size, body=b"x" * size))
        check_unavailable(await s3d.client.answer())
        await s3d.is_well()


async def closes_unanswered(talk: Conversation) -> None:
    """Answers the first request; takes the second and closes: an idle connection that ended at the wrong moment."""
    await talk.request()
    talk.send(OK)
    await talk.request()


REPEATED = {
    "GET": head("GET /bucket/key"),
    "HEAD": head("HEAD /bucket/key"),
    "DELETE": head("DELETE /bucket/key"),
    "PUT": put(),
    "PUT from a file": head("PUT /bucket/key", "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (SIZE, DATA),
    "conditional GET": head("GET /bucket/key", 'If-Match: "e"'),
}
NOT_REPEATED = {
    "PUT with If-None-Match": put("If-None-Match: *"),
    "PUT with If-Match": put('If-Match: "e"'),
    "DELETE with If-Match": head("DELETE /bucket/key", 'If-Match: "e"'),
    "POST": head("POST /bucket/key?uploads", "Content-Length: 0"),
    "PUT that streams": put(body=DATA),
}


@pytest.mark.parametrize("request_", REPEATED.values(), ids=REPEATED.keys())
async def test_repeated_where_that_is_safe(request_: bytes) -> None:
    async with stack(closes_unanswered, well) as s3d:
        assert (await ask(s3d)).status == 200
        assert (await ask(s3d, request_)).status == 200
        method = request_.split(b" ", 1)[0].decode()
        assert [seen.line.split(" ")[0] for seen in s3d.raw.requests] == ["GET", method, method]
        if s3d.raw.requests[-1].length:
            assert s3d.raw.talks[1].body == s3d.raw.talks[0].body


@pytest.mark.parametrize("request_", NOT_REPEATED.values(), ids=NOT_REPEATED.keys())
async def test_not_repeated_where_that_could_differ(request_: bytes, expected_log: list[str]) -> None:
    expected_log.append(AWAY)
    async with stack(closes_unanswered, well) as s3d:
        assert (await ask(s3d)).status == 200
        check_unavailable(await ask(s3d, request_))
        assert len(s3d.raw.requests) == 2
        await s3d.is_well()


async def test_a_connection_that_closed_while_idle_is_not_used() -> None:
    """So that also what cannot be repeated works."""

    async def answers_once(talk: Conversation) -> None:
        await talk.request()
        talk.send(OK)

    async with stack(answers_once) as s3d:
        for _ in range(5):
            assert (await ask(s3d, put("If-None-Match: *"))).status == 200
            await asyncio.sleep(0.01)
        assert len(s3d.raw.requests) == 5


KEYS = {
    "/bucket/a//b": "/bucket/a//b",
    "/bucket/../x/./y/": "/bucket/../x/./y/",
    "/bucket//": "/bucket//",
    "/bucket/%2F%2f": "/bucket///",
    "/bucket/a+b%20c%2Bd": "/bucket/a%2Bb%20c%2Bd",
    "/bucket/%C3%A9%F0%9F%98%80": "/bucket/%C3%A9%F0%9F%98%80",
    "/bucket/%ff%00%0a": "/bucket/%FF%00%0A",
    "/bucket/~-._!*'()": "/bucket/~-._%21%2A%27%28%29",
    "/bucket/%25%32%35": "/bucket/%2525",
    "/bucket/" + "k" * 1024: "/bucket/" + "k" * 1024,
    "/bucket/key?versionId=a%2Bb+c&x=": "/bucket/key?versionId=a%2Bb%20c&x=",
    "/?x-id=ListBuckets": "/?x-id=ListBuckets",
}


@pytest.mark.parametrize(("target", "expected"), KEYS.items(), ids=[key[:40] for key in KEYS])
async def test_keys_arrive_byte_for_byte(target: str, expected: str) -> None:
    async with stack(well) as s3d:
        assert (await ask(s3d, head(f"GET {target}"))).status == 200
        assert s3d.raw.requests[0].line == f"GET {expected} HTTP/1.1"


async def test_the_request_is_signed_anew() -> None:
    """The client's signature, framing and coding are gone; what it said about the object is there; nothing is added."""
    sha256 = hashlib.sha256(HELLO).hexdigest()
    request = put(
        "Authorization: AWS4-HMAC-SHA256 Credential=C/20260101/r/s3/aws4_request, SignedHeaders=host, Signature=00",
        "x-amz-date: 20260101T000000Z",
        "x-amz-security-token: token of the client",
        f"x-amz-content-sha256: {sha256}",
        "Content-Type: text/plain",
        "x-amz-meta-a: b",
        "Accept-Encoding: identity",
    )
    async with stack(well) as s3d:
        assert (await ask(s3d, request)).status == 200
        headers = s3d.raw.requests[0].headers
        assert sorted(headers.keys(), key=str.lower) == [
            *("Accept-Encoding", "Authorization", "Content-Length", "Content-Type", "Host"),
            *("x-amz-content-sha256", "x-amz-date", "x-amz-meta-a"),
        ]
        assert headers["Host"] == f"127.0.0.1:{s3d.raw.port}"
        assert headers["x-amz-content-sha256"] == sha256
        assert headers["x-amz-date"] != "20260101T000000Z"
        assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")


async def test_aws_chunked_never_leaves() -> None:
    body = b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
    async with stack(well) as s3d:
        assert (await ask(s3d, unsigned(body))).status == 200
        headers = s3d.raw.requests[0].headers
        assert (headers["Content-Length"], headers["x-amz-checksum-crc32"]) == ("11", "DUoRhQ==")
        for name in ("Content-Encoding", "x-amz-trailer", "x-amz-decoded-content-length", "Transfer-Encoding"):
            assert name not in headers
        assert s3d.raw.talks[0].body == HELLO


async def test_a_presigned_request_is_signed_anew() -> None:
    """Header parameters in the query of a presigned URL arrive as the headers that they are."""
    query = PRESIGNED_V4.format(date=FAR, expires=0) + "&x-amz-acl=private&partNumber=1"
    async with stack(well) as s3d:
        assert (await ask(s3d, head(f"GET /bucket/key?{query}"))).status == 200
        seen = s3d.raw.requests[0]
        assert seen.line == "GET /bucket/key?partNumber=1 HTTP/1.1"
        assert seen.headers["x-amz-acl"] == "private"
        assert seen.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")


async def test_a_header_that_is_no_utf_8_keeps_its_bytes() -> None:
    async with stack(well) as s3d:
        answer = await ask(s3d, b"GET /bucket/key HTTP/1.1\r\nHost: localhost\r\nx-amz-meta-a: \xff\xc3\xa9\r\n\r\n")
        assert answer.status == 200
        value = s3d.raw.requests[0].headers["x-amz-meta-a"]
        assert value.encode("utf-8", "surrogateescape") == b"\xff\xc3\xa9"


async def test_a_client_that_left_before_the_answer_began() -> None:
    """The answer's stream was never begun; its connection to the remote is given up all the same."""
    may_answer = asyncio.Event()

    async def answers_late(talk: Conversation) -> None:
        await talk.request()
        await may_answer.wait()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + DATA)
        await talk.rest()

    async with stack(answers_late, well) as s3d:
        async with connected(s3d.server.port) as client:
            client.send(head("GET /bucket/key"))
            await s3d.raw.until(lambda: bool(s3d.raw.requests))
        await asyncio.sleep(0.02)
        may_answer.set()
        await s3d.raw.until(lambda: s3d.raw.talks[0].ended)
        await s3d.is_well()


async def test_a_name_in_the_query_is_no_way_to_a_second_request() -> None:
    """A preflight is not signed, so nothing else would notice that its headers hold a request."""
    smuggled = "x-amz-a:1%0D%0A%0D%0AGET%20/bucket/smuggled%20HTTP/1.1%0D%0Ax-amz-b=1"
    async with stack(well) as s3d:
        query = f"AWSAccessKeyId=x&Signature=y&Expires=9999999999&{smuggled}"
        await ask(s3d, head(f"OPTIONS /bucket/key?{query}", "Origin: http://page"))
        await s3d.is_well()
        assert not any("smuggled HTTP" in seen.line or "\r" in seen.line for seen in s3d.raw.requests)
        assert [seen.line.split(" ")[0] for seen in s3d.raw.requests] == ["OPTIONS", "GET", "GET"]


async def test_a_digest_in_the_query_of_a_presigned_url_counts() -> None:
    query = PRESIGNED_V4.format(date=FAR, expires=0) + "&X-Amz-Content-Sha256=" + "0" * 64
    async with stack(well) as s3d:
        answer = await ask(s3d, head(f"PUT /bucket/key?{query}", "Content-Length: 5") + b"hello")
        assert answer.status == 400
        assert b"<Code>XAmzContentSHA256Mismatch</Code>" in answer.body
        assert not s3d.raw.requests


async def test_framing_in_the_query_of_a_presigned_url_stays_here() -> None:
    query = PRESIGNED_V4.format(date=FAR, expires=0) + "&x-amz-trailer=a&x-amz-decoded-content-length=3&x-amz-meta-a=1"
    async with stack(well) as s3d:
        assert (await ask(s3d, head(f"PUT /bucket/key?{query}", "Content-Length: 5") + b"hello")).status == 200
        seen = s3d.raw.requests[0].headers
        assert ("x-amz-trailer" in seen, "x-amz-decoded-content-length" in seen, seen["x-amz-meta-a"]) == (
            False,
            False,
            "1",
        )


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (["aws-chunked", "gzip"], ["gzip"]),
        (["gzip", "aws-chunked"], ["gzip"]),
        (["gzip,aws-chunked", "br"], ["gzip", "br"]),
        (["AWS-Chunked"], []),
    ],
)
async def test_the_objects_own_codings_are_kept(sent: list[str], kept: list[str]) -> None:
    lines = [f"Content-Encoding: {value}" for value in sent]
    body = b"5\r\nhello\r\n0\r\n\r\n"
    more = ["x-amz-decoded-content-length: 5", "x-amz-content-sha256: UNSIGNED-PAYLOAD", f"Content-Length: {len(body)}"]
    async with stack(well) as s3d:
        assert (await ask(s3d, head("PUT /bucket/key", *lines, *more) + body)).status == 200
        assert s3d.raw.requests[0].headers.getall("Content-Encoding", []) == kept
        assert s3d.raw.requests[0].length == 5
