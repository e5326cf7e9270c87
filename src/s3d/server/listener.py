"""The listening socket: start, TLS, and a stop that lets requests in flight finish."""

from __future__ import annotations

import asyncio
import ssl

from s3d.s3.backend import Backend
from s3d.server.access import AllowsOrigin
from s3d.server.config import ServerConfig
from s3d.server.connection import Connection, ConnectionFactory
from s3d.server.pipeline import Pipeline
from s3d.server.sockets import open_sockets, port_of

_BACKLOG = 1024  # connections that wait to be accepted: clients open dozens at once
_POLL = 0.05  # seconds between two looks at what is still in flight


class Server:
    """Serves the S3 API of a Backend.

    ``allows_origin`` says which web pages of other sites may send requests; None: no page may.
    """

    def __init__(self, backend: Backend, config: ServerConfig, allows_origin: AllowsOrigin | None = None) -> None:
        self._config = config
        self.pipeline = Pipeline(backend, config, allows_origin)
        self._factory: ConnectionFactory | None = None
        self._listening: list[asyncio.Server] = []
        self.port = config.port
        """The port that is listened on, once started."""

    @property
    def serving(self) -> bool:
        """Whether new requests are taken."""
        return bool(self._listening) and not self.pipeline.stopping

    @property
    def url(self) -> str:
        """Where clients find it."""
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        return f"{'https' if self._config.tls_cert else 'http'}://{host}:{self.port}"

    async def start(self) -> None:
        """Binds and listens. Raises `s3d.server.sockets.CannotListen`, and OSError or ssl.SSLError (certificate)."""
        tls = None
        if self._config.tls_cert is not None:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(self._config.tls_cert, self._config.tls_key)
        self._factory = ConnectionFactory(self.pipeline.handle, self.pipeline.broken, self._config.idle_timeout)
        loop = asyncio.get_running_loop()
        sockets = open_sockets(self._config.host, self._config.port)
        self.port = port_of(sockets)
        for opened in sockets:
            self._listening.append(await loop.create_server(self._factory, sock=opened, ssl=tls, backlog=_BACKLOG))

    async def stop(self, grace: float) -> int:
        """Stops accepting, closes idle connections, and waits up to ``grace`` seconds for requests in flight.

        Returns how many were cut off.
        """
        if self._factory is None:
            return 0
        for listening in self._listening:
            listening.close()
        self.pipeline.stopping = True
        deadline = asyncio.get_running_loop().time() + grace
        while (busy := self._close_idle()) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_POLL)
        await self._factory.shutdown(timeout=0.5)
        self.pipeline.access_log.write()
        return busy

    def _close_idle(self) -> int:
        """Closes the connections on which nothing happens; returns how many are busy."""
        assert self._factory is not None  # noqa: S101  called between start and stop
        busy = 0
        for connection in self._factory.connections:
            if isinstance(connection, Connection) and connection.busy:
                busy += 1
            else:
                connection.force_close()  # ``close`` would leave the socket open
        return busy
