"""What a remote may do with its answer, and what the client then gets: the answer as it is, or an honest failure."""

from __future__ import annotations

import asyncio
import random
import xml.etree.ElementTree as ET

import pytest
from wire.raw_remote import OK, Conversation, Script, Stack, says, says_and_closes, stack, well
from wire.rig import DATE, Broken, RawAnswer, connected, head

LINE = f"HTTP/1.1 200 OK\r\nDate: {DATE}\r\n".encode()
GET = head("GET /bucket/key")
LARGE = b"x" * 300_000
WAYS = {"end": lambda talk: talk.writer.close(), "reset": lambda talk: talk.reset()}
AWAY = "the remote does not answer"
BROKE = "an answer broke off"

PASSED = {
    # name: (what the remote sends, the body that the client gets)
    "length": (LINE + b"Content-Length: 5\r\n\r\nhello", b"hello"),
    "large": (LINE + b"Content-Length: 300000\r\n\r\n" + LARGE, LARGE),
    "chunks": (LINE + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", b"hello"),
    "chunks with a trailer": (LINE + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n", b"hello"),
    "no body": (LINE + b"Content-Length: 0\r\n\r\n", b""),
    "early hints in front": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + LINE + b"Content-Length: 2\r\n\r\nok",
        b"ok",
    ),
    "100 Continue in front": (b"HTTP/1.1 100 Continue\r\n\r\n" + LINE + b"Content-Length: 2\r\n\r\nok", b"ok"),
    "a header of 20,000 bytes": (LINE + b"x-amz-meta-a: " + b"v" * 20_000 + b"\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "300 headers": (LINE + b"".join(b"x-%d: 1\r\n" % i for i in range(300)) + b"Content-Length: 2\r\n\r\nok", b"ok"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
}
ENDED_BY_CLOSING = {
    "no length": LINE + b"\r\nhello",
    "Connection: close": LINE + b"Connection: close\r\n\r\nhello",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
}
NO_ANSWER = {
    "garbage": b"hello world\r\n\r\n",
    "an unknown version": b"HTTP/9.9 200 OK\r\n\r\n",
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "a length that is no number": LINE + b"Content-Length: five\r\n\r\nhello",
    "two lengths": LINE + b"Content-Length: 5\r\nContent-Length: 4\r\n\r\nhello",
    "a length and chunks": LINE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a header of 100,000 bytes": LINE + b"x-amz-meta-a: " + b"v" * 100_000 + b"\r\n\r\n",
    "a flood of headers": LINE + b"".join(b"x-%d: 1\r\n" % i for i in range(5000)) + b"\r\n",
    "TLS on the plain port": bytes.fromhex("15030100020246"),
    "100 Continue only": b"HTTP/1.1 100 Continue\r\n\r\n",
}


def check_unavailable(answer: RawAnswer) -> str:
    """Asserts a 503 in S3's form; gives its message."""
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    found = {element.tag: element.text or "" for element in ET.fromstring(answer.body)}
    assert found["Code"] == "ServiceUnavailable"
    assert found["RequestId"] == answer.headers["x-amz-request-id"]
    return found["Message"]


async def ask(s3d: Stack, request: bytes = GET) -> RawAnswer:
    s3d.client.send(request)
    return await s3d.client.answer(request.split(b" ", 1)[0].decode())


@pytest.mark.parametrize(("sent", "body"), PASSED.values(), ids=PASSED.keys())
async def test_passes(sent: bytes, body: bytes) -> None:
    """Also byte by byte where that is short, and on a connection that is used again."""
    async with stack(says(sent)) as s3d:
        for _ in range(2):
            answer = await ask(s3d)
            assert (answer.status, answer.body) == (200, body)
            assert answer.headers["x-s3d-state"] == "remote"
            assert "x-t" not in answer.headers


@pytest.mark.parametrize(
    ("sent", "body"),
    [p for p in PASSED.values() if len(p[0]) < 300],
    ids=[n for n, p in PASSED.items() if len(p[0]) < 300],
)
async def test_passes_byte_by_byte(sent: bytes, body: bytes) -> None:
    async def trickle(talk: Conversation) -> None:
        await talk.request()
        for byte in sent:
            talk.send(bytes([byte]))
            await asyncio.sleep(0)
        await well(talk)

    async with stack(trickle, well) as s3d:
        answer = await ask(s3d)
        assert (answer.status, answer.body) == (200, body)
        await s3d.is_well()


@pytest.mark.parametrize("sent", ENDED_BY_CLOSING.values(), ids=ENDED_BY_CLOSING.keys())
async def test_a_body_that_the_end_of_the_connection_ends(sent: bytes) -> None:
    async with stack(says_and_closes(sent), well) as s3d:
        answer = await ask(s3d)
        assert (answer.status, answer.body) == (200, b"hello")
        await s3d.is_well()


async def test_a_large_body_arrives_unharmed() -> None:
    """Also to a client that reads in fits, so that every buffer on the way fills up."""
    data = random.Random(1).randbytes(20_000_000)

    async def sends(talk: Conversation) -> None:
        while True:
            await talk.request()
            talk.send(LINE + b"Content-Length: %d\r\n\r\n" % len(data))
            for start in range(0, len(data), 700_001):
                talk.send(data[start : start + 700_001])
                await talk.writer.drain()

    async with stack(sends) as s3d:
        for _ in range(2):
            s3d.client.send(GET)
            await s3d.client.reader.readuntil(b"\r\n\r\n")
            got = bytearray()
            while len(got) < len(data):
                got += await s3d.client.reader.readexactly(min(1_000_000, len(data) - len(got)))
                await asyncio.sleep(0.002)
            assert got == data
        assert len(s3d.raw.talks) == 1


async def test_headers_pass_as_they_are() -> None:
    lines = [
        *('ETag: "e"', "x-amz-request-id: R", "x-amz-id-2: I/+=", "Server: Some/1", "Content-Type: a/b", "Vary: a"),
        *("Vary: b", "x-amz-meta-A: \u00e9", "Content-Encoding: gzip", "Accept-Ranges: bytes", "Empty:"),
    ]
    hop = [
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "x-s3d-cache: HIT",
        "x-s3d-state: pending",
    ]
    sent = LINE + "\r\n".join([*lines, *hop, "Content-Length: 5", "", "hello"]).encode()
    async with stack(says(sent)) as s3d:
        answer = await ask(s3d)
        names = [f"{name}: {value}".strip() for name, value in answer.headers.items()]
        assert names == [f"Date: {DATE}", *lines, "Content-Length: 5", "x-s3d-state: remote"]


@pytest.mark.parametrize("status", [206, 301, 304, 307, 400, 403, 404, 412, 416, 500, 503, 599])
async def test_any_status_passes(status: int) -> None:
    body = b"" if status == 304 else b"<Error/>"
    sent = b"HTTP/1.1 %d Why Not\r\nLocation: http://x/\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
    if status == 304:
        sent = sent.replace(b"Content-Length: 0\r\n", b"")
    async with stack(says(sent)) as s3d:
        answer = await ask(s3d)
        assert (answer.status, answer.reason, answer.body) == (status, "Why Not", body)
        assert len(s3d.raw.requests) == 1


@pytest.mark.parametrize("sent", NO_ANSWER.values(), ids=NO_ANSWER.keys())
async def test_what_is_no_answer_is_503(sent: bytes, expected_log: list[str]) -> None:
    expected_log.append(AWAY)
    async with stack(*[says_and_closes(sent)] * 3, well) as s3d:
        while True:
            answer = await ask(s3d, head("PUT /bucket/key", "If-None-Match: *", "Content-Length: 0"))
            if answer.status == 200:
                break
            assert "Signature" not in check_unavailable(answer)
        assert len(s3d.raw.requests) == 4, "each was sent once, and only once"
        await s3d.is_well()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 400000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n61a80\r\n"],
    ids=["length", "chunks"],
)
async def test_a_large_answer_that_breaks_off(framing: bytes, way: Script, expected_log: list[str]) -> None:
    """The client cannot take what it got for the whole."""
    expected_log.append(BROKE)
    got = asyncio.Event()

    async def breaks_off(talk: Conversation) -> None:
        await talk.request()
        talk.send(LINE + framing + LARGE)
        await got.wait()
        way(talk)

    async with stack(breaks_off, well) as s3d:
        s3d.client.send(GET)
        head_and_some = await s3d.client.reader.readexactly(100_000)
        got.set()
        s3d.client.reader._buffer[:0] = head_and_some
        with pytest.raises(Broken):
            await s3d.client.answer()
        await s3d.is_well()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_a_small_answer_that_breaks_off_is_asked_again(way: Script) -> None:
    async def breaks_off(talk: Conversation) -> None:
        await talk.request()
        talk.send(LINE + b"Content-Length: 5\r\n\r\nhel")
        await asyncio.sleep(0.02)
        way(talk)

    async with stack(breaks_off, breaks_off, well) as s3d:
        answer = await ask(s3d)
        assert (answer.status, answer.body) == (200, b"hello")
        assert len(s3d.raw.requests) == 3


async def test_a_small_answer_that_always_breaks_off(expected_log: list[str]) -> None:
    expected_log.append(AWAY)
    async with stack(says_and_closes(LINE + b"Content-Length: 5\r\n\r\nhel")) as s3d:
        check_unavailable(await ask(s3d))
        assert len(s3d.raw.requests) == 3


async def test_a_break_reaches_a_client_of_http_1_0(expected_log: list[str]) -> None:
    """Its body ends with the connection, so the end must not be an orderly one."""
    expected_log.append(BROKE)
    got = asyncio.Event()

    async def breaks_off(talk: Conversation) -> None:
        await talk.request()
        talk.send(LINE + b"Transfer-Encoding: chunked\r\n\r\n61a80\r\n" + LARGE)
        await got.wait()

    async with stack(breaks_off) as s3d:
        s3d.client.send(b"GET /bucket/key HTTP/1.0\r\n\r\n")
        await s3d.client.reader.readexactly(100_000)
        got.set()
        with pytest.raises(ConnectionResetError):
            await s3d.client.reader.read()


async def test_silence_in_an_answer(expected_log: list[str]) -> None:
    expected_log.append(BROKE)

    async def stops(talk: Conversation) -> None:
        await talk.request()
        talk.send(LINE + b"Content-Length: 400000\r\n\r\n" + LARGE)
        await talk.rest()

    async with stack(stops, well, idle_timeout=0.2) as s3d:
        with pytest.raises(Broken):
            await ask(s3d)
        await s3d.raw.until(lambda: s3d.raw.talks[0].ended)
        await s3d.is_well()


HANGS = {
    "at once": b"",
    "in the head": LINE,
    "in a small body": LINE + b"Content-Length: 5\r\n\r\nhel",
    "after 100 Continue": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.parametrize("sent", HANGS.values(), ids=HANGS.keys())
async def test_a_remote_that_hangs(sent: bytes, expected_log: list[str]) -> None:
    """503 in time, and the connection to it is given up."""
    expected_log.append(AWAY)

    async def hangs(talk: Conversation) -> None:
        await talk.request()
        talk.send(sent)
        await talk.rest()

    async with stack(hangs, well, response_timeout=0.2) as s3d:
        assert "did not answer in time" in check_unavailable(await ask(s3d))
        await s3d.raw.until(lambda: s3d.raw.talks[0].ended)
        assert len(s3d.raw.requests) == 1, "what took its time once is not asked again"
        await s3d.is_well()


async def test_a_head_that_trickles(expected_log: list[str]) -> None:
    expected_log.append(AWAY)

    async def trickle(talk: Conversation) -> None:
        await talk.request()
        talk.send(LINE)
        while True:
            talk.send(b"x-a: b\r\n")
            await talk.writer.drain()
            await asyncio.sleep(0.02)

    async with stack(trickle, well, response_timeout=0.3) as s3d:
        check_unavailable(await ask(s3d))


async def test_a_body_that_trickles_is_patience() -> None:
    async def trickle(talk: Conversation) -> None:
        await talk.request()
        talk.send(LINE + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            talk.send(b"1\r\nx\r\n")
            await asyncio.sleep(0.05)
        talk.send(b"0\r\n\r\n")
        await talk.rest()

    async with stack(trickle, response_timeout=0.3, idle_timeout=0.3) as s3d:
        assert (await ask(s3d)).body == b"x" * 10


async def test_nobody_listens(expected_log: list[str]) -> None:
    expected_log.append(AWAY)
    async with stack(well) as s3d:
        await s3d.raw.stop()
        await asyncio.sleep(0.05)
        assert "cannot be reached" in check_unavailable(await ask(s3d))


LARGE_OK = LINE + b"Content-Length: 300000\r\n\r\n" + LARGE
EXTRA = {
    "more than its large length": (b"GET", LARGE_OK + b"more"),
    "a second answer behind a large one": (b"GET", LARGE_OK + OK.replace(b"hello", b"HELLO")),
    "more than its length": (b"GET", OK + b"more"),
    "a second answer": (b"GET", OK + OK.replace(b"hello", b"HELLO")),
    "a body to HEAD": (b"HEAD", OK),
    "a body with 204": (b"DELETE", b"HTTP/1.1 204 No Content\r\n\r\nhello"),
    "a body with 304": (b"GET", b"HTTP/1.1 304 Not Modified\r\n\r\nhello"),
}


@pytest.mark.parametrize(("method", "sent"), EXTRA.values(), ids=EXTRA.keys())
async def test_too_much_is_nobody_elses_answer(method: bytes, sent: bytes, expected_log: list[str]) -> None:
    """The answer in front of it may be lost with it (503); the next request gets its own."""
    expected_log.append(AWAY)

    async def script(talk: Conversation) -> None:
        await talk.request()
        talk.send(sent)
        await well(talk)

    async with stack(script, well) as s3d:
        assert (await ask(s3d, GET.replace(b"GET", method))).status in (200, 204, 304, 503)
        await asyncio.sleep(0.02)
        await s3d.is_well()


async def test_a_flood_behind_an_answer_that_nobody_waits_for() -> None:
    """A connection in the pool on which something arrives is not used again."""
    async with (
        stack(says(OK + b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" * 100), well) as s3d,
        connected(s3d.server.port),
    ):
        assert (await ask(s3d)).status == 200
        await asyncio.sleep(0.02)
        assert (await ask(s3d)).body == b"hello"


@pytest.mark.parametrize("size", [5, 200_000])
async def test_an_answer_that_nobody_asked_for_is_nobodys(size: int) -> None:
    """It waits on an idle connection; the next request must not take it, nor each further one the answer before its own."""
    own = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"o" * size
    surplus = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"

    async def answers_twice(talk: Conversation) -> None:
        await talk.request()
        talk.send(own)
        await talk.writer.drain()
        await asyncio.sleep(0.1)
        talk.send(surplus)
        await talk.rest()

    async with stack(answers_twice, well) as s3d:
        assert (await ask(s3d)).body == b"o" * size
        await asyncio.sleep(0.3)
        for _ in range(3):
            assert (await ask(s3d)).body == b"hello"
