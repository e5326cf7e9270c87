"""From a request's head to the end of its answer: what wire tests do not see."""

from __future__ import annotations

import logging

import pytest
from wire.malformed import put
from wire.rig import Recorder, connected, head, ok, serving, works_on

from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.server.config import ServerConfig
from s3d.server.listener import Server
from s3d.server.spool import SpooledBody


async def test_a_defect_is_500_and_logged_with_the_id(caplog: pytest.LogCaptureFixture) -> None:
    def broken(request: S3Request, body: bytes) -> S3Response:
        if request.bucket == "normal":
            return ok()
        raise ZeroDivisionError

    recorder = Recorder(broken)
    async with serving(recorder) as server, connected(server.port) as client:
        client.send(head("GET /bucket/key"))
        answer = await client.answer()
        assert answer.status == 500
        assert b"<Code>InternalError</Code>" in answer.body
        assert b"Zero" not in answer.body
        (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert record.exc_info is not None
        assert record.request_id == answer.headers["x-amz-request-id"]
        await works_on(client, recorder)


async def test_an_error_that_is_raised_is_one_that_is_returned() -> None:
    def refuses(request: S3Request, body: bytes) -> S3Response:
        raise S3Error("NoSuchKey", elements={"Key": "key"}, headers={"x-a": "1"})

    async with serving(Recorder(refuses)) as server, connected(server.port) as client:
        client.send(head("GET /bucket/key"))
        answer = await client.answer()
        assert (answer.status, answer.headers["x-a"], answer.headers["Server"]) == (404, "1", "s3d")
        assert b"<Code>NoSuchKey</Code>" in answer.body
        assert b"<Resource>/bucket/key</Resource>" in answer.body


async def test_the_access_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "s3d.access")
    recorder = Recorder(lambda request, body: ok(b"hello", x_amz_request_id="R", x_s3d_state="remote"))
    async with serving(recorder) as server, connected(server.port) as client:
        client.send(put("User-Agent: u", target="/b/k%20"))
        await client.answer()
        client.send(head("GET /bucket/%zz"))
        await client.answer()
        client.send(b"nonsense\r\n\r\n")
        await client.answer()
        server.pipeline.access_log.write()
        lines = [record.__dict__ for record in caplog.records]
        assert [line["status"] for line in lines] == [200, 400, 400]
        assert [line.get("error") for line in lines] == [None, "InvalidURI", "BadRequest"]
        expected = {
            "operation": "PutObject",
            "bucket": "b",
            "key": "k ",
            "bytes_in": 11,
            "bytes_out": 5,
            "state": "remote",
        }
        expected |= {"remote_request_id": "R", "user_agent": "u", "method": "PUT", "remote": "127.0.0.1"}
        assert {name: lines[0][name] for name in expected} == expected
        assert server.pipeline.access_log.document()["answered"] == {"2xx": 1, "3xx": 0, "4xx": 2, "5xx": 0}


async def test_temporary_files_are_closed() -> None:
    recorder = Recorder()
    data = b"x" * 2_000_000
    async with serving(recorder) as server, connected(server.port) as client:
        client.send(
            head("PUT /bucket/key", "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
        )
        assert (await client.answer()).status == 200
        body = recorder.last.request.body
        assert isinstance(body, SpooledBody)
        assert body._file.closed


async def test_a_stopping_server_closes_its_connections() -> None:
    async with serving(Recorder()) as server, connected(server.port) as client:
        server.pipeline.stopping = True
        client.send(head("GET /bucket/key"))
        assert (await client.answer()).closes
        assert await client.closed() == b""


async def test_a_page_of_another_site() -> None:
    """It passes if the Backend's own rules let it; by default none does."""
    asked: list[tuple[str | None, str, str]] = []

    def allows(bucket: str | None, origin: str, method: str) -> bool:
        asked.append((bucket, origin, method))
        return bucket == "open"

    fields = ("Sec-Fetch-Site: cross-site", "Origin: https://page.example")
    for allows_origin, statuses in ((allows, [200, 403]), (None, [403, 403])):
        server = Server(Recorder(), ServerConfig("127.0.0.1", 0), allows_origin)
        await server.start()
        async with connected(server.port) as client:
            for target, host, status in zip(
                ("/open/key", "/key"), ("localhost", "closed.localhost"), statuses, strict=True
            ):
                client.send(head(f"GET {target}", *fields, host=host))
                assert (await client.answer()).status == status
        await server.stop(0)
    assert asked == [("open", "https://page.example", "GET"), ("closed", "https://page.example", "GET")]


async def test_a_header_in_the_query_that_would_be_two() -> None:
    """A presigned URL can have any character in it."""
    signed = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/20260101/us-east-1/s3/aws4_request&X-Amz-Signature=aa"
        "&X-Amz-Date=20991122T000000Z&X-Amz-SignedHeaders=host&X-Amz-Expires=604800"
    )
    recorder = Recorder()
    async with serving(recorder) as server, connected(server.port) as client:
        for value in ("a%0d%0ax-evil:%201", "a%0ab", "a%00", "%7f"):
            client.send(head(f"GET /bucket/key?x-amz-meta-a={value}&{signed}"))
            answer = await client.answer()
            assert answer.status == 400
            assert b"<Code>InvalidArgument</Code>" in answer.body
        await works_on(client, recorder)
