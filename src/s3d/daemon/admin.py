"""The admin listener: health checks, the status document and the control of queue and cache, as JSON over HTTP."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from s3d.daemon.admin_request import BadRequest
from s3d.daemon.audit_api import AuditApi
from s3d.daemon.cache_api import CacheApi
from s3d.daemon.config import AdminConfig
from s3d.daemon.explain_api import ExplainApi, Policy
from s3d.daemon.guard import refuse
from s3d.daemon.queue_api import QueueApi
from s3d.daemon.resource_status import ResourceStatus
from s3d.daemon.status import Status
from s3d.read_cache.control import CacheControl
from s3d.server.sockets import open_sockets, port_of
from s3d.write_queue.control import Control

_STOP_SECONDS = 1.0  # answers here are small and ready at once: nothing is worth waiting for
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

log = logging.getLogger("s3d.admin")


class _MalformedIsNoError(logging.Filter):
    """aiohttp logs bytes that are no HTTP as an error with a traceback: it is the sender's mistake, one line is enough."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        record.levelno, record.levelname, record.exc_info = logging.INFO, "INFO", None
        record.msg, record.args = "malformed request: %s", (error.message,)
        return log.isEnabledFor(logging.INFO)


_http_log = logging.getLogger("s3d.admin.http")
_http_log.addFilter(_MalformedIsNoError())


class Admin:
    """Serves the admin API. ``serving`` says whether the S3 listener takes requests now.

    ==================  ================================================================================
    GET /health/live    200 while the event loop runs
    GET /health/ready   200 while the daemon serves, else 503; ``{"serving": ..., "remote": PART}``: also
                        with the remote away the daemon serves, and the part says so. Where the embedded
                        store takes its place, the part is ``standalone``
    GET /status         the document of `Status`
    /status/...         `s3d.daemon.resource_status`
    /queue              `s3d.daemon.queue_api`
    /audit              `s3d.daemon.audit_api`
    /cache              `s3d.daemon.cache_api`
    /explain            `s3d.daemon.explain_api`
    ==================  ================================================================================

    Errors are ``{"error": SENTENCE}``.
    """

    def __init__(
        self,
        config: AdminConfig,
        status: Status,
        serving: Callable[[], bool],
        queue: Control | None = None,
        cache: CacheControl | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._config = config
        self._parts = (
            QueueApi(queue),
            ResourceStatus(queue, cache),
            AuditApi(queue),
            CacheApi(cache),
            ExplainApi(queue, cache, policy),
        )
        self._status = status
        self._serving = serving
        self._runner: web.AppRunner | None = None
        self._port = config.port

    @property
    def port(self) -> int:
        """The port: after `start` the real one, also where the configuration says any (0)."""
        return self._port

    async def start(self) -> None:
        """Listens. Raises `s3d.server.sockets.CannotListen`."""
        sockets = open_sockets(self._config.host, self._config.port)
        self._port = port_of(sockets)
        self._runner = web.AppRunner(
            self._application(), access_log=None, logger=_http_log, shutdown_timeout=_STOP_SECONDS
        )
        await self._runner.setup()
        for listener in sockets:
            await web.SockSite(self._runner, listener).start()

    async def stop(self) -> None:
        """Stops listening and closes the connections. Does nothing when it is not started."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._guarded], client_max_size=64 * 1024)
        application.router.add_get("/health/live", self._live)
        application.router.add_get("/health/ready", self._ready)
        application.router.add_get("/status", self._document)
        for part in self._parts:
            part.add_to(application.router)
        return application

    async def _live(self, _request: web.Request) -> web.Response:
        return _json(200, {"live": True})

    async def _ready(self, _request: web.Request) -> web.Response:
        serving = self._serving()
        return _json(200 if serving else 503, {"serving": serving, **self._status.parts("remote", "standalone")})

    async def _document(self, _request: web.Request) -> web.Response:
        return _json(200, self._status.document())

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Lets only those in who may, and turns the errors of the router into JSON."""
        refusal = refuse(
            self._config,
            path=request.path,
            peer=_peer(request),
            host=request.headers.get(hdrs.HOST),
            authorization=request.headers.get(hdrs.AUTHORIZATION),
        )
        if refusal is not None:
            log.warning("refused", extra={"remote_address": _peer(request), "status": refusal.status})
            challenge = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
            return _json(refusal.status, {"error": refusal.message}, challenge)
        if request.method not in ("GET", "HEAD") and hdrs.ORIGIN in request.headers:
            return _json(403, {"error": "web pages cannot control the daemon: use s3d, curl or the like"})
        try:
            return await handler(request)
        except BadRequest as error:
            return _json(400, {"error": str(error)})
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            return _json(405, {"error": f"{request.path} takes {allowed}"}, {"Allow": allowed})
        except web.HTTPNotFound:
            there = "/status, /queue, /cache, /audit, /explain, /health/live and /health/ready"
            return _json(404, {"error": f"there is nothing here: see {there}"})


def _peer(request: web.Request) -> str | None:
    peername = request.get_extra_info("peername")
    return str(peername[0]) if peername else None


def _json(status: int, document: object, headers: dict[str, str] | None = None) -> web.Response:
    body = json.dumps(document, default=str, indent=2).encode() + b"\n"
    return web.Response(
        status=status, body=body, content_type="application/json", headers={**_HEADERS, **(headers or {})}
    )
