"""Golden requests and answers with random damage: there is an answer or an end, and s3d goes on as before."""

from __future__ import annotations

import asyncio
from functools import reduce

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire.golden import EXCHANGES
from wire.malformed import MALFORMED
from wire.raw_remote import Conversation, stack, well
from wire.rig import PATIENCE, Client, Recorder, connected, head, serving, still_works
from wire.test_remote_answers import AWAY, BROKE, PASSED

TOKENS = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"%",
        b"%zz",
        b" ",
        b":",
        b",",
        b";",
        b"=",
        b"&",
        b"?",
        b"/",
        b"\xff",
        b"\x80",
        b"\t",
    ),
    *(
        b"Content-Length: 1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
    ),
    *(
        b"9" * 5000,
        b"-1",
        b"0",
        b"ffffffffffffffff",
        b"HTTP/1.0",
        b"x-amz-date: ",
        b"Host: a\r\n",
        b"0\r\n\r\n",
        b"GET ",
    ),
    *(b"x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n", b"x-amz-decoded-content-length: 11\r\n"),
    *(
        b"Upgrade: websocket\r\nConnection: upgrade\r\n",
        b"Content-Encoding: aws-chunked\r\n",
        b"?uploads",
        b"Range: x\r\n",
    ),
]
Damage = tuple[str, float, float, bytes]
damage = st.tuples(
    st.sampled_from(["insert", "replace", "delete", "repeat", "cut"]),
    st.floats(0, 1),
    st.floats(0, 0.2),
    st.sampled_from(TOKENS) | st.binary(min_size=1, max_size=3),
)


def damaged(data: bytes, what: Damage) -> bytes:
    """Done at a relative position, over a relative length."""
    kind, where, length, token = what
    start = int(where * len(data))
    end = min(len(data), start + 1 + int(length * len(data)))
    match kind:
        case "insert":
            return data[:start] + token + data[start:]
        case "replace":
            return data[:start] + token + data[start + len(token) :]
        case "delete":
            return data[:start] + data[end:]
        case "repeat":
            return data[:end] + data[start:]
        case _:
            return data[:start]


def mutants(of: list[bytes]) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda data, damages: reduce(damaged, damages, data),
        st.sampled_from(of),
        st.lists(damage, min_size=1, max_size=4),
    )


GOLDEN = [exchange.request for exchange in EXCHANGES] + [c.request for c in MALFORMED if len(c.request) < 2000]
fuzz = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def ends(client: Client) -> None:
    """Asserts that something comes, or the end."""
    async with asyncio.timeout(PATIENCE):
        try:
            data = await client.reader.read(1 << 16)
        except ConnectionError:
            return
    assert data == b"" or data.startswith(b"HTTP/1.1 ")


@fuzz
@given(st.lists(mutants(GOLDEN), min_size=1, max_size=10))
async def test_damaged_requests(requests: list[bytes]) -> None:
    recorder = Recorder()

    async def send(request: bytes) -> None:
        async with connected(server.port) as client:
            client.send(request)
            await ends(client)

    async with serving(recorder, idle=0.1) as server:
        async with asyncio.TaskGroup() as group:
            for request in requests:
                group.create_task(send(request))
        await still_works(server.port, recorder)


@fuzz
@given(mutants([sent for sent, _ in PASSED.values() if len(sent) < 1000]))
async def test_damaged_answers(expected_log: list[str], answer: bytes) -> None:
    """Of the answer that is damaged anything may arrive; the next one is right."""
    expected_log[:] = [AWAY, BROKE]

    async def script(talk: Conversation) -> None:
        await talk.request()
        talk.send(answer)
        await well(talk)

    async with stack(script, well, response_timeout=0.1, idle_timeout=0.1) as s3d:
        s3d.client.send(head("PUT /bucket/key", "If-None-Match: *", "Content-Length: 0"))
        await ends(s3d.client)
        await s3d.is_well()
