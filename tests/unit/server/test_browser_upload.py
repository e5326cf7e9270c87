"""Browser uploads: a form becomes a PutObject. Forms and policies themselves are in tests/unit/s3."""

from __future__ import annotations

import base64
import json

import pytest
from wire.rig import Client, RawAnswer, Recorder, connected, head, ok, serving, works_on

from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.server.spool import SpooledBody

BOUNDARY = "xyz"


def form(
    fields: dict[str, str], file: bytes | None, *more: str, target: str = "/bucket", host: str = "localhost"
) -> bytes:
    body = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    )
    if file is not None:
        part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
        body += f"{part}Content-Type: text/plain\r\n\r\n".encode() + file + b"\r\n"
    body += f"--{BOUNDARY}--\r\n".encode()
    kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
    return head(f"POST {target}", kind, f"Content-Length: {len(body)}", *more, host=host) + body


def policy(*conditions: object, expiration: str = "2999-01-01T00:00:00Z") -> dict[str, str]:
    document = {"expiration": expiration, "conditions": [{"bucket": "bucket"}, *conditions]}
    encoded = base64.b64encode(json.dumps(document).encode()).decode()
    return {"policy": encoded, "AWSAccessKeyId": "any", "signature": "c2ln"}


async def post(client: Client, request: bytes) -> RawAnswer:
    client.send(request)
    return await client.answer()


@pytest.mark.parametrize("size", [0, 11, 300_000, 1_500_000])
async def test_becomes_a_put_object(size: int) -> None:
    data = (b"\r\n--xy" * (size // 6 + 1))[:size]
    recorder = Recorder(lambda request, body: ok(ETag='"e"'))
    async with serving(recorder) as server, connected(server.port) as client:
        answer = await post(client, form({"key": "a/${filename}", "x-amz-meta-a": "b", "Content-Type": "x/y"}, data))
        assert (answer.status, answer.headers["ETag"]) == (204, '"e"')
        request = recorder.last.request
        assert (request.method, request.operation, request.bucket, request.key) == (
            "PUT",
            "PutObject",
            "bucket",
            "a/a.txt",
        )
        assert recorder.last.body == data
        assert recorder.last.headers == {"x-amz-meta-a": "b", "content-type": "x/y"}
        if isinstance(request.body, SpooledBody):
            assert request.body._file.closed
        await works_on(client, recorder)


@pytest.mark.parametrize(
    ("target", "host", "url"),
    [("/bucket", "localhost", "http://localhost/bucket/k"), ("/", "bucket.localhost", "http://bucket.localhost/k")],
)
async def test_the_answer_names_the_object(target: str, host: str, url: str) -> None:
    recorder = Recorder(lambda request, body: ok(ETag='"e"'))
    async with serving(recorder) as server, connected(server.port) as client:
        answer = await post(client, form({"key": "k", "success_action_status": "201"}, b"x", target=target, host=host))
        assert (answer.status, answer.headers["Location"]) == (201, url)
        assert b"<Key>k</Key>" in answer.body


async def test_a_policy_is_enforced() -> None:
    recorder = Recorder()
    fields = {"key": "k", **policy({"key": "k"}, ["content-length-range", 1, 5])}
    async with serving(recorder) as server, connected(server.port) as client:
        assert (await post(client, form(fields, b"12345"))).status == 204
        for request, code in (
            (form(fields, b"123456"), b"EntityTooLarge"),
            (form(fields, b""), b"EntityTooSmall"),
            (form({**fields, "key": "other"}, b"12345"), b"AccessDenied"),
            (form({"key": "k", **policy({"key": "k"}, expiration="2020-01-01T00:00:00Z")}, b"1"), b"AccessDenied"),
        ):
            recorder.received.clear()
            async with connected(server.port) as other:
                answer = await post(other, request)
                assert answer.status in (400, 403)
                assert b"<Code>" + code + b"</Code>" in answer.body
                assert not recorder.received


MALFORMED = {
    "no key": form({}, b"x"),
    "no file": form({"key": "k"}, None),
    "no boundary": form({"key": "k"}, b"x").replace(b"; boundary=xyz", b""),
    "another boundary": form({"key": "k"}, b"x").replace(b"boundary=xyz", b"boundary=abc"),
    "no end": form({"key": "k"}, b"x").replace(b"\r\n--xyz--\r\n", b"\r\n--xyy--\r\n"),
    "a policy that is none": form({"key": "k", **policy(), "policy": "%%%"}, b"x"),
    "a policy that nobody signed": form({"key": "k", "policy": policy({"key": "k"})["policy"]}, b"x"),
    "a wrong MD5": form({"key": "k", "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, b"x"),
}


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed(request_: bytes, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    async with serving(recorder) as server, connected(server.port) as client:
        answer = await post(client, request_)
        assert 400 <= answer.status < 500
        assert b"<Code>" in answer.body
        assert not recorder.received
        if not answer.closes:
            await works_on(client, recorder)
    assert not caplog.records


async def test_an_error_of_the_remote_passes() -> None:
    def refuses(request: S3Request, body: bytes) -> S3Response:
        raise S3Error("NoSuchBucket")

    async with serving(Recorder(refuses)) as server, connected(server.port) as client:
        assert (await post(client, form({"key": "k"}, b"x"))).status == 404


async def test_a_page_of_another_site() -> None:
    recorder = Recorder()
    async with serving(recorder) as server, connected(server.port) as client:
        assert (await post(client, form({"key": "k"}, b"x", "Sec-Fetch-Site: cross-site"))).status == 403
        assert not recorder.received
