"""The client: what it repeats, what it makes of errors."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from model.memory import Memory
from multidict import CIMultiDict

from s3d.cli.client import Client
from s3d.cli.errors import S3Failure, Unreachable
from s3d.s3.errors import RemoteUnreachable, S3Error, error_response
from s3d.s3.message import S3Request, S3Response

LIST = b"<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name></Bucket></Buckets></ListAllMyBucketsResult>"


class Script:
    """A Backend that answers from a list; exceptions are raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    async def __call__(self, request: S3Request) -> S3Response:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, S3Response)
        return answer


def client(*answers: Any) -> Client:
    return Client(Script(*answers), "http://localhost:33333", pauses=(0.0, 0.0))


def ok() -> S3Response:
    return S3Response(200, body=LIST)


def error(code: str, status: int | None = None) -> S3Response:
    response = error_response(S3Error(code), resource="/b", request_id="r")
    response.headers["x-amz-request-id"] = "r"
    response.status = status or response.status
    return response


@pytest.mark.parametrize("code", ["InternalError", "SlowDown", "ServiceUnavailable"])
async def test_passing_errors_are_repeated(code: str) -> None:
    assert await client(error(code), error(code), ok()).call("ListBuckets", {}) == {"Buckets": [{"Name": "b"}]}


async def test_after_the_last_attempt_the_error_is_told() -> None:
    with pytest.raises(S3Failure, match="SlowDown: Please reduce your request rate") as failed:
        await client(*[error("SlowDown")] * 3).call("ListBuckets", {})
    assert (failed.value.status, failed.value.request_id) == (503, "r")


async def test_other_errors_are_told_at_once() -> None:
    with pytest.raises(S3Failure, match="AccessDenied") as failed:
        await client(error("AccessDenied")).call("GetObjectTagging", {"Bucket": "b", "Key": "k\n\udcff"})
    assert failed.value.message == "AccessDenied: Access Denied (b/k\\x0a\\xff)"
    assert failed.value.code == "AccessDenied"


async def test_a_daemon_that_is_not_there_is_told_at_once() -> None:
    cause = ConnectionRefusedError(111, "refused")
    unreachable = RemoteUnreachable("x")
    unreachable.__cause__ = cause
    with pytest.raises(Unreachable) as failed:
        await client(unreachable).call("ListBuckets", {})
    assert failed.value.message == (
        "No daemon answers at http://localhost:33333: Connection refused. Start it with: s3d run"
    )


async def test_a_daemon_that_was_there_is_waited_for() -> None:
    waiting = client(ok(), RemoteUnreachable("restarting"), RemoteUnreachable("restarting"), ok())
    await waiting.call("ListBuckets", {})
    assert await waiting.call("ListBuckets", {})


async def test_a_body_that_breaks_off_is_asked_for_again() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield LIST[:10]
        raise RemoteUnreachable("broke off")

    assert await client(S3Response(200, body=broken()), ok()).call("ListBuckets", {})


async def test_an_error_behind_a_200_is_an_error() -> None:
    members = {"Bucket": "b", "Key": "k", "UploadId": "u"}
    with pytest.raises(S3Failure, match="InternalError") as failed:
        await client(error("InternalError", 200)).call("CompleteMultipartUpload", members)
    assert failed.value.status == 200


async def test_what_is_not_s3_is_a_failure() -> None:
    with pytest.raises(S3Failure):
        await client(S3Response(200, body=b"<html><p>hello</html>")).call("ListBuckets", {})
    with pytest.raises(S3Failure, match=r"NotFound: no such page$"):
        await client(S3Response(404, body=b"no such\r\npage")).call("ListBuckets", {})


@pytest.mark.parametrize(("status", "code"), [(404, "NotFound"), (403, "AccessDenied"), (412, "PreconditionFailed")])
async def test_head_has_no_message_so_one_is_made(status: int, code: str) -> None:
    with pytest.raises(S3Failure) as failed:
        await client(S3Response(status)).call("HeadObject", {"Bucket": "b", "Key": "k"})
    assert failed.value.code == code
    assert failed.value.message.endswith("(b/k)")


async def test_headers_beyond_the_model_are_kept() -> None:
    answer = await client(S3Response(200, CIMultiDict({"x-s3d-state": "pending"}), LIST)).ask("ListBuckets", {})
    assert answer.headers["X-S3D-State"] == "pending"


async def test_open_streams_and_closes() -> None:
    closed = []

    async def body() -> AsyncGenerator[bytes, None]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    headers = CIMultiDict({"Content-Length": "2", "ETag": '"e"'})
    async with client(S3Response(200, headers, body())).open("GetObject", {"Bucket": "b", "Key": "k"}) as answer:
        assert answer.members["ETag"] == '"e"'
        assert answer.body is not None
        assert await anext(answer.body) == b"a"
    assert closed == [True]


async def test_a_body_is_sent_as_it_is() -> None:
    memory = Memory()
    to_memory = Client(memory, "memory")
    await to_memory.call("CreateBucket", {"Bucket": "bucket"})
    await to_memory.call("PutObject", {"Bucket": "bucket", "Key": "k"}, b"data")
    assert memory.store.buckets["bucket"].objects["k"].data == b"data"
