"""The Backend that sends each request to the remote S3, signed with the remote's credentials.

Nothing is translated: method, bucket, key, query, headers and body go on as the client gave them; status, headers and
body come back as the remote gave them. What changes is what belongs to a connection: hop-by-hop fields, framing,
signature.

A request is repeated only when its connection broke before the answer was there, the body can be sent again, and a
second execution cannot differ from the first (see `may_repeat`). Every other failure is the client's to repeat: it gets
a 503 and knows that.
"""

from __future__ import annotations

import asyncio
import logging
import re
from types import TracebackType
from typing import Any, Self

import aiohttp
from multidict import CIMultiDict

from s3d.remote.config import RemoteConfig
from s3d.remote.credentials import CredentialsProvider, Location, NoCredentials
from s3d.remote.download import read_response
from s3d.remote.exchange import exchange
from s3d.remote.health import Health
from s3d.remote.pool import Pool
from s3d.remote.route import Route, in_region, route
from s3d.remote.upload import Upload
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response, body_length, is_replayable
from s3d.s3.sigv4 import EMPTY_SHA256, UNSIGNED_PAYLOAD, Credentials, Signer
from s3d.s3.uri import format_query

log = logging.getLogger("s3d.remote")

_RETRY_DELAYS = (0.05, 0.5)  # seconds before the second and third attempt: a reused connection that just closed
_READS = ("GET", "HEAD", "OPTIONS")
_REPEATABLE = frozenset(
    {
        "AbortMultipartUpload",
        "DeleteObject",
        "DeleteObjectTagging",
        "PutBucketTagging",
        "PutObject",
        "PutObjectTagging",
        "UploadPart",
    }
)
_FORBIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110 section 5.5
_NO_TOKEN = re.compile("[^!#$%&'*+.^_`|~0-9A-Za-z-]")  # section 5.6.2: what a name may not have


class Remote:
    """The remote S3 as a Backend. Raises RemoteUnreachable (503) when it gives no answer."""

    def __init__(self, config: RemoteConfig, credentials: CredentialsProvider) -> None:
        self._config = config
        self._credentials = credentials
        self._pool: Pool | None = None
        self._home: Location | None = None
        self._bucket_regions: dict[str, str] = {}
        self._signers: dict[str, Signer] = {}
        self.health = Health()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    def document(self) -> dict[str, Any]:
        """For the status page: where the remote is (null until the first request asked the chain) and its health."""
        home = self._home
        place = {
            "endpoint": home.endpoint if home else self._config.endpoint,
            "region": home.region if home else self._config.region,
        }
        return place | self.health.document()

    async def __call__(self, request: S3Request) -> S3Response:
        try:
            home = await self._locate()
            credentials = await self._credentials.get()
        except NoCredentials as error:
            raise RemoteUnreachable(str(error)) from error
        region = self._bucket_regions.get(request.bucket or "", home.region)
        response = await self._send(request, in_region(home, region), credentials)
        actual = response.headers.get("x-amz-bucket-region")
        if actual and actual != region and home.is_aws and response.status in (301, 307, 400) and request.bucket:
            return await self._send_again(request, response, in_region(home, actual), credentials)
        return response

    async def _locate(self) -> Location:
        if self._home is None:
            self._home = await self._credentials.locate(self._config.endpoint, self._config.region)
        return self._home

    async def _send_again(
        self, request: S3Request, refusal: S3Response, location: Location, credentials: Credentials | None
    ) -> S3Response:
        """The bucket lives in another region of AWS: remember it, and send the request there."""
        self._bucket_regions[request.bucket or ""] = location.region
        if not isinstance(refusal.body, bytes):
            await refusal.body.aclose()  # type: ignore[union-attr]  # this Backend gives no file bodies
        if not is_replayable(request.body):
            message = f"The bucket is in region {location.region}, which is known from now on: repeat the request."
            raise RemoteUnreachable(message, retry_after=1)
        return await self._send(request, location, credentials)

    async def _send(self, request: S3Request, location: Location, credentials: Credentials | None) -> S3Response:
        try:
            response = await self._repeated(request, location, credentials)
        except RemoteUnreachable as error:
            self.health.failed(_reason(error.__cause__ or error))
            raise
        self.health.answered()
        return response

    async def _repeated(self, request: S3Request, location: Location, credentials: Credentials | None) -> S3Response:
        for delay in _RETRY_DELAYS:
            try:
                return await self._attempt(request, location, credentials)
            except RemoteUnreachable as error:
                if not _broke_off(error, request.method in _READS) or not may_repeat(request):
                    raise
                log.debug("repeating after a broken connection", extra={"request_id": request.request_id})
            await asyncio.sleep(delay)
        return await self._attempt(request, location, credentials)

    async def _attempt(self, request: S3Request, location: Location, credentials: Credentials | None) -> S3Response:
        """Sends the request once."""
        if self._pool is None:
            self._pool = Pool(self._config)
        target, head = self._prepare(self._pool, request, location, credentials)
        idle, answer = self._config.idle_timeout, self._config.response_timeout
        try:
            async with asyncio.timeout(answer) as deadline:
                upload = Upload(request.body, deadline, idle=idle, response=answer)
                connection = await self._pool.connect(target.origin)
                reply = await exchange(connection, request.method, head, upload)
                return await read_response(reply, self._config, self._pool.read_ahead)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreachable(location, error) from error

    def _prepare(
        self, pool: Pool, request: S3Request, location: Location, credentials: Credentials | None
    ) -> tuple[Route, bytes]:
        """Where the request goes, and its signed head."""
        target = route(location, self._config.addressing, request.bucket, request.key)
        headers = request.headers.copy()
        headers["Host"] = target.host
        length = body_length(request.body)
        if credentials is not None and request.method != "OPTIONS":  # a preflight is never signed (Fetch standard)
            signer = self._signer(location.region)
            payload = request.payload_sha256 or (UNSIGNED_PAYLOAD if length else EMPTY_SHA256)
            signer.sign_headers(request.method, target.path, request.query, headers, payload, credentials)
        if length or request.method in ("PUT", "POST"):
            headers["Content-Length"] = str(length)
        path = f"{target.path}?{format_query(request.query)}" if request.query else target.path
        proxy_headers = pool.proxied(target.origin)
        if proxy_headers is not None:
            headers.update(proxy_headers)
            path = target.origin + path
        return target, _head(request.method, path, headers)

    def _signer(self, region: str) -> Signer:
        signer = self._signers.get(region)
        if signer is None:
            signer = self._signers[region] = Signer(region)
        return signer


def may_repeat(request: S3Request) -> bool:
    """Whether a request whose outcome is unknown can be sent again without changing what the client sees.

    A read can. Of the changes those whose second execution has the result of the first; not conditional ones, which
    would fail on their own success, and none that is not known.
    """
    if request.method in _READS:
        return True
    if request.once or request.operation not in _REPEATABLE or not is_replayable(request.body):
        return False
    return not any(_makes_it_depend(name.lower()) for name in request.headers)


def _makes_it_depend(header: str) -> bool:
    """Whether the outcome depends on the state that the first execution has changed: conditions and appends."""
    return header.startswith("if-") or "-if-" in header or header == "x-amz-write-offset-bytes"


def _broke_off(error: RemoteUnreachable, is_read: bool) -> bool:
    """The connection was there and broke, for a change without a byte of an answer. A remote that cannot be connected
    to is not asked again at once."""
    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientConnectorError):
        return False
    if isinstance(cause, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
        return True
    return is_read and isinstance(cause, aiohttp.ClientPayloadError)


def _unreachable(location: Location, error: BaseException) -> RemoteUnreachable:
    what = "did not answer in time" if isinstance(error, TimeoutError) else "cannot be reached"
    return RemoteUnreachable(f"The remote S3 at {location.endpoint} {what}: {_reason(error)}")


def _reason(error: BaseException) -> str:
    """What happened, in the system's words; the HTTP client's own sentence names a TLS mode also where there is none."""
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        return error.os_error.strerror or str(error.os_error) or type(error.os_error).__name__
    return str(error) or type(error).__name__


def _head(method: str, target: str, headers: CIMultiDict[str]) -> bytes:
    """The head of the request as bytes; header values go out with the bytes that they came with."""
    if _FORBIDDEN.search("".join(headers.values())) or _NO_TOKEN.search("".join(headers)):
        raise S3Error("InvalidArgument", "A header has a character that HTTP does not allow.")
    lines = [f"{method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in headers.items()], "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")
