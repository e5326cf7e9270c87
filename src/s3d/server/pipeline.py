"""What happens to a request, from its head to the last byte of its answer.

    access -> addressing -> signature (form, expiry) -> operation -> body (framing, digests) -> Backend -> answer

Whatever goes wrong on the way becomes an S3 error answer with the request's id; the connection goes on where the
framing is still known. Nothing is retried here and nothing about the object is decided here.
"""

from __future__ import annotations

import asyncio
import logging
import re

from aiohttp.web import BaseRequest
from multidict import CIMultiDict, CIMultiDictProxy

from s3d.s3 import authorization
from s3d.s3.addressing import parse_target
from s3d.s3.aws_chunked import without_aws_chunked
from s3d.s3.backend import Backend
from s3d.s3.errors import RemoteUnreachable, S3Error, error_response
from s3d.s3.headers import NOT_FORWARDED
from s3d.s3.message import S3Request, S3Response, body_length
from s3d.s3.routing import FORM_UPLOAD, route
from s3d.server.access import AllowsOrigin, check_browser, check_host, check_peer
from s3d.server.access_log import AccessLog, Exchange, new_request_id
from s3d.server.answer import Answer
from s3d.server.body import read_body
from s3d.server.browser_upload import put_form, read_form
from s3d.server.config import ServerConfig
from s3d.server.spool import SpooledBody

log = logging.getLogger("s3d.server")

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NEVER_FORWARDED = frozenset({"CONNECT", "TRACE"})  # methods about the connection; no S3 operation has them


class Pipeline:
    """Answers HTTP requests through a Backend."""

    def __init__(self, backend: Backend, config: ServerConfig, allows_origin: AllowsOrigin | None = None) -> None:
        self._backend = backend
        self._allows_origin = allows_origin
        self._config = config
        self._names = (config.host, *config.domains)
        self.access_log = AccessLog()
        self.stopping = False
        """Set once the daemon stops: answers then close their connection."""

    async def handle(self, http: BaseRequest) -> Answer:
        """The answer to one request, which is written when aiohttp calls its ``prepare``."""
        exchange = self._begin(http)
        request: S3Request | None = None
        try:
            request = self._read_head(http, exchange)
            response = await self._respond(http, request, exchange)
        except S3Error as error:
            response = self._refuse(http, exchange, error)
        except asyncio.CancelledError:  # the daemon stops, and its grace is over
            exchange.error = "Cancelled"
            self.access_log.end(exchange)
            raise
        except Exception:
            log.exception("a request failed inside the daemon", extra={"request_id": exchange.request_id})
            response = self._refuse(http, exchange, S3Error("InternalError"))
        finally:
            if request is not None and isinstance(request.body, SpooledBody):
                request.body.close()
        return self._answer(http, exchange, response)

    def broken(self, http: BaseRequest, error: S3Error) -> Answer:
        """The answer to something that is no HTTP request."""
        exchange = self._begin(http)
        answer = self._answer(http, exchange, self._refuse(http, exchange, error))
        answer.keep_alive = False
        return answer

    def _begin(self, http: BaseRequest) -> Exchange:
        self.access_log.begin()
        exchange = Exchange(new_request_id(), http.remote, http.method)
        exchange.user_agent = http.headers.get("User-Agent")
        return exchange

    def _read_head(self, http: BaseRequest, exchange: Exchange) -> S3Request:
        """The request without its body."""
        check_peer(exchange.client)
        if http.version < (1, 0):
            raise S3Error("BadRequest", "The request is not valid HTTP: HTTP/0.9 is not spoken here")
        if http.method in _NEVER_FORWARDED:
            raise S3Error("MethodNotAllowed")
        headers = http.headers
        target = parse_target(http.raw_path, headers.get("Host", ""), self._config.domains)
        check_host(target.host, self._names)
        exchange.bucket, exchange.key = target.bucket, target.key
        auth = authorization.read(headers, target.query)
        exchange.access_key = auth.access_key
        authorization.check_expiry(auth)
        query, lifted = authorization.headers_in_query(authorization.strip_query(target.query, auth), auth)
        kept = _end_to_end(headers)
        signed_sha256 = None
        if lifted:
            _check_values(lifted)
            kept.extend((n, value) for n, value in lifted if n not in headers and n.lower() not in NOT_FORWARDED)
            signed_sha256 = next((value for name, value in lifted if name.lower() == "x-amz-content-sha256"), None)
        operation = exchange.operation = route(http.method, target.bucket, target.key, query, kept)
        check_browser(http.method, headers, auth, target.bucket, self._allows_origin)
        return S3Request(
            method=http.method,
            operation=operation,
            bucket=target.bucket,
            key=target.key,
            query=query,
            headers=kept,
            payload_sha256=signed_sha256,
            request_id=exchange.request_id,
            source_address=exchange.client or "",
        )

    async def _respond(self, http: BaseRequest, request: S3Request, exchange: Exchange) -> S3Response:
        idle, spool_dir = self._config.idle_timeout, self._config.spool_dir
        if request.operation == FORM_UPLOAD:
            return await self._take_form(http, request, exchange)
        request.body = await read_body(http, request, idle=idle, spool_dir=spool_dir)
        exchange.bytes_in = body_length(request.body)
        response = await self._backend(request)
        remote_id = response.headers.get("x-amz-request-id")
        if remote_id != exchange.request_id:  # the embedded store has no ids of its own
            exchange.remote_request_id = remote_id
        return response

    async def _take_form(self, http: BaseRequest, request: S3Request, exchange: Exchange) -> S3Response:
        put, fields = await read_form(http, request, idle=self._config.idle_timeout, spool_dir=self._config.spool_dir)
        exchange.key = put.key
        exchange.bytes_in = body_length(put.body)
        put.source_address = exchange.client or ""
        request.body = put.body  # the one whose temporary file is closed in the end
        return await put_form(http, put, fields, self._backend, self._config.domains)

    def _refuse(self, http: BaseRequest, exchange: Exchange, error: S3Error) -> S3Response:
        exchange.error = error.code
        if isinstance(error, RemoteUnreachable):
            log.debug("no answer from the remote", extra={"request_id": exchange.request_id, "error": error.message})
        path = http.raw_path.partition("?")[0]
        response = error_response(error, resource=path, request_id=exchange.request_id, head=http.method == "HEAD")
        response.headers["x-amz-request-id"] = exchange.request_id
        response.headers["Server"] = "s3d"
        return response

    def _answer(self, http: BaseRequest, exchange: Exchange, response: S3Response) -> Answer:
        exchange.status = response.status
        exchange.state = response.headers.get("x-s3d-state")
        keep_alive = not self.stopping and _may_keep(http)
        return LoggedAnswer(response, exchange, self.access_log, keep_alive=keep_alive, idle=self._config.idle_timeout)


class LoggedAnswer(Answer):
    """An answer that writes its line in the access log when it is over, however it ends."""

    def __init__(
        self, response: S3Response, exchange: Exchange, access_log: AccessLog, *, keep_alive: bool, idle: float
    ) -> None:
        super().__init__(response, keep_alive=keep_alive, idle=idle)
        self._exchange = exchange
        self._access_log = access_log

    async def prepare(self, http: BaseRequest) -> None:
        """Writes the answer; one that breaks off ends the connection, which is how the client learns of it."""
        try:
            await super().prepare(http)
        except S3Error as error:
            self._exchange.error = "RemoteClosed"
            log.warning("an answer broke off", extra={"request_id": self._exchange.request_id, "error": error.message})
            raise ConnectionResetError(error.message) from error
        finally:
            if not self.whole:
                self._exchange.error = self._exchange.error or "ClientClosed"
            self._exchange.bytes_out = self.sent
            self._access_log.end(self._exchange)


def _may_keep(http: BaseRequest) -> bool:
    """Whether another request may follow on the connection.

    Not if the body was refused before it arrived: a client that waits for ``100 Continue`` then sends none, and its next
    request would be taken for it. Not after chunks: aiohttp's parser (3.14) takes the last field of a trailer section
    for the first header of the next request. Not after an offer to upgrade: the parser loses what came behind that.
    """
    arrived = http.content.is_eof() and http.content.exception() is None
    return http.keep_alive and arrived and "Transfer-Encoding" not in http.headers and "Upgrade" not in http.headers


def _check_values(lifted: list[tuple[str, str]]) -> None:
    """Raises InvalidArgument for a header in the query that no header could hold (RFC 9110 section 5.5): percent-encoded
    line ends, which would come out as further headers where the value is sent on or given back."""
    for name, value in lifted:
        if _CONTROL.search(value):
            elements = {"ArgumentName": name, "ArgumentValue": value}
            raise S3Error("InvalidArgument", "Header value cannot be represented.", elements=elements)


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The client's headers without those of this hop and of the client's signature, framing and transfer coding."""
    drop = NOT_FORWARDED
    named = headers.get("Connection", "").lower()
    if named not in ("", "keep-alive", "close"):
        drop = drop | {name.strip() for name in named.split(",")}
    kept = CIMultiDict([field for field in headers.items() if field[0].lower() not in drop])
    codings = kept.getall("Content-Encoding", ())
    if codings and any("aws-chunked" in coding.lower() for coding in codings):
        del kept["Content-Encoding"]
        rest = [own for coding in codings if (own := without_aws_chunked(coding)) is not None]
        kept.extend(("Content-Encoding", own) for own in rest)
    return kept
