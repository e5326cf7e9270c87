"""The composition root: the whole architecture on one screen.

A feature is a Backend around a Backend. Pending writes shadow the cache, so the write queue will be the outermost; the
read cache goes between it and the remote. Nothing is composed anywhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict

from s3d.daemon.admin import Admin
from s3d.daemon.config import Config
from s3d.daemon.status import Status
from s3d.remote.backend import Remote
from s3d.remote.credentials import Chain, CredentialsProvider
from s3d.s3.backend import Backend
from s3d.server.listener import Server

log = logging.getLogger("s3d.daemon")

Wrap = Callable[[Backend], Backend]


class Daemon:
    """What runs: the S3 listener, the admin listener and the connection to the remote."""

    def __init__(self, server: Server, admin: Admin, remote: Remote) -> None:
        self.server = server
        self.admin = admin
        self.remote = remote

    async def start(self) -> None:
        """Listens; the remote is contacted by the first request. Raises CannotListen, OSError (certificate)."""
        await self.server.start()
        await self.admin.start()

    async def stop(self, grace: float) -> None:
        """Finishes what is in flight, up to ``grace`` seconds, and closes everything. Also after a failed start."""
        cut_off = await self.server.stop(grace)
        if cut_off:
            log.warning("requests in flight were cut off", extra={"requests": cut_off})
        await self.admin.stop()
        await self.remote.close()


def build(config: Config, *, credentials: CredentialsProvider | None = None, wrap: Wrap | None = None) -> Daemon:
    """Composes the daemon. ``wrap`` goes around the remote: where a test puts a Backend that injects faults."""
    remote = Remote(config.remote, credentials or Chain())
    backend: Backend = remote
    if wrap is not None:
        backend = wrap(backend)
    server = Server(backend, config.server)
    status = Status(
        {
            "endpoint": lambda: server.url,
            "remote": remote.document,
            "requests": server.pipeline.access_log.document,
            "settings": lambda: {name: asdict(setting) for name, setting in config.settings.items()},
        }
    )
    return Daemon(server, Admin(config.admin, status, lambda: server.serving), remote)
