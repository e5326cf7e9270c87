"""Each malformed request gets S3's XML error and harms nothing: the Backend never sees it whole, the server goes on."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from wire.malformed import MALFORMED, Malformed
from wire.rig import Client, RawAnswer, Recorder, connected, serving, still_works, works_on

malformed = pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name)


def check_error(answer: RawAnswer, case: Malformed) -> None:
    """The right status, S3's XML and the request's id."""
    assert answer.headers["Content-Type"] == "application/xml"
    assert len(answer.headers["x-amz-request-id"]) == 16
    assert answer.status == case.status
    if case.method == "HEAD":
        return
    found = {element.tag: element.text or "" for element in ET.fromstring(answer.body)}
    assert found["Code"] in case.code.split("|"), found
    assert found["Message"]
    assert found["RequestId"] == answer.headers["x-amz-request-id"]


async def check_end(client: Client, case: Malformed, answer: RawAnswer, recorder: Recorder) -> None:
    """The connection goes on where the framing is known; else it ends, and says so, after this one answer."""
    assert answer.closes is not case.keep
    if case.keep:
        await works_on(client, recorder)
    else:
        client.writer.write_eof()
        assert await client.closed() == b"", "two answers to one request"


@malformed
async def test_whole(case: Malformed) -> None:
    recorder = Recorder()
    async with serving(recorder) as server:
        async with connected(server.port) as client:
            client.send(case.request)
            if case.end:
                client.writer.write_eof()
                assert await client.closed() == b""
            else:
                answer = await client.answer(case.method)
                check_error(answer, case)
                assert not recorder.received
                await check_end(client, case, answer, recorder)
        await still_works(server.port, recorder)
        assert [received.request.bucket for received in recorder.received].count("bucket") == 0
        assert server.pipeline.access_log.document()["in_flight"] == 0


@pytest.mark.parametrize("case", [c for c in MALFORMED if len(c.request) < 1000], ids=lambda case: case.name)
async def test_byte_by_byte(case: Malformed) -> None:
    recorder = Recorder()
    async with serving(recorder) as server:
        async with connected(server.port) as client:
            await client.send_in([case.request[i : i + 1] for i in range(len(case.request))], until_answered=True)
            if case.end:
                client.writer.write_eof()
                assert await client.closed() == b""
            else:
                check_error(await client.answer(case.method), case)
        await still_works(server.port, recorder)
        assert [received.request.bucket for received in recorder.received] == ["normal"]


def test_there_are_many_kinds() -> None:
    assert len({case.name for case in MALFORMED}) == len(MALFORMED) >= 60
