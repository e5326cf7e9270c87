"""The decisions of the Remote: what is signed how, sent where, and repeated when. Its bytes are in tests/wire."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict

from s3d.remote import backend as module
from s3d.remote.backend import Remote, may_repeat
from s3d.remote.config import RemoteConfig
from s3d.remote.credentials import ANONYMOUS, CredentialsProvider, Location, NoCredentials, Static
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.s3.sigv4 import EMPTY_SHA256, Credentials

KEYS = Credentials("AKID", "secret", "token")
PLACE = Location("http://remote:9000", "us-east-1", is_aws=False)
AWS = Location("https://s3.us-east-1.amazonaws.com", "us-east-1", is_aws=True)


class Stream:
    """A body that comes once, or one that can be read again."""

    length = 3

    def __init__(self, *, replayable: bool = False) -> None:
        self.replayable = replayable

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        yield b"abc"


class OnAws(Static):
    """Credentials whose remote is AWS."""

    async def locate(self, endpoint: str | None, region: str | None) -> Location:
        return AWS


class Scripted(Remote):
    """Gives prepared outcomes instead of sending."""

    def __init__(self, *outcomes: S3Response | BaseException, provider: CredentialsProvider | None = None) -> None:
        super().__init__(RemoteConfig(PLACE.endpoint), provider or Static(KEYS))
        self._outcomes = list(outcomes)
        self.sent: list[Location] = []

    async def _attempt(self, request: S3Request, location: Location, credentials: Credentials | None) -> S3Response:
        self.sent.append(location)
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def failure(cause: BaseException) -> RemoteUnreachable:
    error = RemoteUnreachable("gone")
    error.__cause__ = cause
    return error


def broke() -> RemoteUnreachable:
    return failure(aiohttp.ServerDisconnectedError())


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_DELAYS", (0, 0))


def request(method: str = "GET", operation: str = "X", **more: object) -> S3Request:
    return S3Request(method, operation, "bucket", "key", **more)


@pytest.mark.parametrize(
    ("made", "safe"),
    [
        (request("GET"), True),
        (request("HEAD"), True),
        (request("OPTIONS"), True),
        (request("DELETE", "DeleteObject"), True),
        (request("PUT", "PutObject", body=b"abc"), True),
        (request("PUT", "UploadPart", body=Stream(replayable=True)), True),
        (request("PUT", "PutObject", body=Stream()), False),
        (request("PUT", "Unknown"), False),
        (request("DELETE", "Unknown"), False),
        (request("PUT", "RenameObject"), False),
        (request("PUT", "CreateBucket"), False),
        (request("POST", "CompleteMultipartUpload"), False),
        (request("POST", "CreateMultipartUpload"), False),
        (request("PUT", "PutObject", headers=CIMultiDict({"x-amz-write-offset-bytes": "5"})), False),
        (request("DELETE", "DeleteObject", headers=CIMultiDict({"X-Amz-If-Match-Size": "5"})), False),
        (request("GET", headers=CIMultiDict({"if-match": "e"})), True),
        (request("PUT", "PutObject", headers=CIMultiDict({"if-none-match": "*"})), False),
        (request("PUT", "PutObject", headers=CIMultiDict({"If-Match": "e"})), False),
        (request("DELETE", "DeleteObject", headers=CIMultiDict({"If-Match": "e"})), False),
    ],
)
def test_may_repeat(made: S3Request, safe: bool) -> None:
    assert may_repeat(made) is safe


async def test_repeats_after_a_broken_connection() -> None:
    remote = Scripted(broke(), broke(), S3Response(200))
    assert (await remote(request())).status == 200
    assert remote.health.reachable is True


async def test_gives_up_after_three(caplog: pytest.LogCaptureFixture) -> None:
    remote = Scripted(broke(), broke(), broke(), S3Response(200))
    with pytest.raises(RemoteUnreachable):
        await remote(request())
    assert len(remote.sent) == 3
    assert remote.health.reachable is False
    assert [record.getMessage() for record in caplog.records] == ["the remote does not answer"]


CAUSES: dict[str, Callable[[], BaseException]] = {
    "nobody there": lambda: aiohttp.ClientConnectorError(None, OSError(111, "refused")),
    "no time left": TimeoutError,
    "no connection to spare": aiohttp.ConnectionTimeoutError,
}


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES.keys())
async def test_other_failures_are_not_repeated(cause: Callable[[], BaseException]) -> None:
    remote = Scripted(failure(cause()), S3Response(200))
    with pytest.raises(RemoteUnreachable):
        await remote(request())
    assert len(remote.sent) == 1


async def test_an_answer_is_an_answer() -> None:
    """Also 500 and 503: whether to repeat those is the client's affair, as it is without s3d."""
    for status in (500, 503, 404):
        remote = Scripted(S3Response(status))
        assert (await remote(request())).status == status
        assert remote.health.reachable is True


async def test_the_clients_fault_says_nothing_about_the_remote() -> None:
    remote = Scripted(S3Error("IncompleteBody"))
    with pytest.raises(S3Error) as caught:
        await remote(request("PUT", body=Stream()))
    assert caught.value.code == "IncompleteBody"
    assert remote.health.reachable is None


def elsewhere(region: str = "eu-west-1", status: int = 301, body: object = b"") -> S3Response:
    return S3Response(status, CIMultiDict({"x-amz-bucket-region": region}), body)


@pytest.mark.parametrize("status", [301, 307, 400])
async def test_a_bucket_in_another_region(status: int) -> None:
    remote = Scripted(elsewhere(status=status), S3Response(200), S3Response(200), provider=OnAws(KEYS))
    assert (await remote(request())).status == 200
    assert (await remote(request())).status == 200
    hosts = [location.endpoint for location in remote.sent]
    assert hosts == [AWS.endpoint, *["https://s3.eu-west-1.amazonaws.com"] * 2], "it is remembered"


async def test_the_refusal_is_closed() -> None:
    closed = []

    async def body() -> AsyncGenerator[bytes, None]:
        try:
            yield b""
        finally:
            closed.append(True)

    refusal = body()
    await anext(refusal)
    await Scripted(elsewhere(body=refusal), S3Response(200), provider=OnAws(KEYS))(request())
    assert closed


async def test_a_stream_cannot_be_sent_to_the_other_region() -> None:
    remote = Scripted(elsewhere(), S3Response(200), provider=OnAws(KEYS))
    with pytest.raises(RemoteUnreachable, match="region eu-west-1") as caught:
        await remote(request("PUT", body=Stream()))
    assert caught.value.headers["Retry-After"] == "1"
    assert (await remote(request("PUT", body=Stream()))).status == 200
    assert remote.sent[-1].region == "eu-west-1"


async def test_only_aws_has_regions_to_go_to() -> None:
    assert (await Scripted(elsewhere())(request())).status == 301
    assert (await Scripted(elsewhere("us-east-1"), provider=OnAws(KEYS))(request())).status == 301
    assert (await Scripted(elsewhere(status=200), provider=OnAws(KEYS))(request())).status == 200


async def test_without_credentials_it_is_unavailable() -> None:
    class Nobody(Static):
        async def get(self) -> Credentials | None:
            raise NoCredentials("set AWS_ACCESS_KEY_ID")

    with pytest.raises(RemoteUnreachable, match="set AWS_ACCESS_KEY_ID"):
        await Scripted(provider=Nobody(KEYS))(request())


def prepared(
    made: S3Request, credentials: Credentials | None = KEYS, proxy: dict[str, str] | None = None
) -> tuple[str, CIMultiDict[str]]:
    """The request line and the headers that would be sent."""
    pool: Any = SimpleNamespace(proxied=lambda origin: proxy)
    target, head = Remote(RemoteConfig(PLACE.endpoint), ANONYMOUS)._prepare(pool, made, PLACE, credentials)
    assert target.origin == PLACE.endpoint
    assert head.endswith(b"\r\n\r\n")
    line, *fields = head[:-4].decode("utf-8", "surrogateescape").split("\r\n")
    return line, CIMultiDict([(name, value) for name, _, value in (field.partition(": ") for field in fields)])


def test_signed_in_the_header() -> None:
    made = request("PUT", body=b"abc", headers=CIMultiDict({"x-amz-meta-a": "\udcff"}))
    line, headers = prepared(made)
    assert line == "PUT /bucket/key HTTP/1.1"
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert (headers["x-amz-content-sha256"], headers["Content-Length"]) == ("UNSIGNED-PAYLOAD", "3")
    assert (headers["x-amz-security-token"], headers["x-amz-meta-a"]) == ("token", "\udcff")
    assert dict(made.headers) == {"x-amz-meta-a": "\udcff"}, "the request itself is not changed: it may be sent again"


def test_the_query_is_encoded() -> None:
    line, _ = prepared(request(query=[("versionId", "a/b c"), ("acl", "")]))
    assert line == "GET /bucket/key?versionId=a%2Fb%20c&acl= HTTP/1.1"


def test_what_the_client_said_about_the_payload_is_signed() -> None:
    assert prepared(request("PUT", body=b"abc", payload_sha256="ab" * 32))[1]["x-amz-content-sha256"] == "ab" * 32
    assert prepared(request("PUT"))[1]["x-amz-content-sha256"] == EMPTY_SHA256


@pytest.mark.parametrize(
    ("method", "length"), [("GET", None), ("HEAD", None), ("DELETE", None), ("PUT", "0"), ("POST", "0")]
)
def test_content_length(method: str, length: str | None) -> None:
    assert prepared(request(method))[1].get("Content-Length") == length


@pytest.mark.parametrize(("method", "keys"), [("OPTIONS", KEYS), ("GET", None)])
def test_unsigned(method: str, keys: Credentials | None) -> None:
    """A preflight is never signed; nor is anything without credentials."""
    assert list(prepared(request(method), keys)[1]) == ["Host"]


def test_a_plain_text_proxy_gets_the_whole_url() -> None:
    line, headers = prepared(request(query=[("a", "b")]), proxy={"Proxy-Authorization": "Basic x"})
    assert line == "GET http://remote:9000/bucket/key?a=b HTTP/1.1"
    assert headers["Proxy-Authorization"] == "Basic x"
    assert "proxy-authorization" not in headers["Authorization"].lower()


@pytest.mark.parametrize("char", ["\r", "\n", "\0", "\x01", "\x7f"])
def test_a_header_that_cannot_be_sent(char: str) -> None:
    with pytest.raises(S3Error) as caught:
        prepared(request(headers=CIMultiDict({"x-amz-meta-a": f"a{char}b"})))
    assert caught.value.code == "InvalidArgument"


async def test_closing_twice() -> None:
    async with Remote(RemoteConfig(PLACE.endpoint), ANONYMOUS) as remote:
        await remote.close()


@pytest.mark.parametrize("name", ["x-a:b", "x-a b", "x-a\r\nb", "x-a\u00e9"])
def test_a_header_name_that_is_none(name: str) -> None:
    with pytest.raises(S3Error):
        prepared(request(headers=CIMultiDict({name: "v"})))


@pytest.mark.parametrize(("method", "operation", "times"), [("GET", "GetObject", 3), ("PUT", "PutObject", 1)])
async def test_only_a_read_is_repeated_after_a_part_of_an_answer(method: str, operation: str, times: int) -> None:
    remote = Scripted(*[failure(aiohttp.ClientPayloadError("8 of 50 bytes")) for _ in range(3)])
    with pytest.raises(RemoteUnreachable):
        await remote(request(method, operation))
    assert len(remote.sent) == times


def test_what_is_to_be_sent_once_is_not_repeated() -> None:
    request = S3Request("PUT", "PutObject", "b", "k", body=b"x")
    assert may_repeat(request)
    request.once = True
    assert not may_repeat(request)
