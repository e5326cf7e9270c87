"""The composition root: the whole architecture on one screen.

A feature is a Backend around a Backend. Innermost is where the objects are: the remote, or the embedded store. Pending
writes shadow the cache, so the write queue will be the outermost; the read cache goes between it and the innermost.
Nothing is composed anywhere else.
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
from s3d.standalone.backend import Standalone
from s3d.standalone.config import StandaloneConfig

log = logging.getLogger("s3d.daemon")

Wrap = Callable[[Backend], Backend]


class Daemon:
    """What runs: the S3 listener, the admin listener, and the connection to the remote or the embedded store."""

    def __init__(self, server: Server, admin: Admin, store: Remote | Standalone) -> None:
        self.server = server
        self.admin = admin
        self.store = store

    async def start(self) -> None:
        """Opens the store, then listens; a remote is contacted by the first request. Raises CannotOpen, CannotListen,
        OSError (certificate)."""
        if isinstance(self.store, Standalone):
            await self.store.open()
        await self.server.start()
        await self.admin.start()

    async def stop(self, grace: float) -> None:
        """Finishes what is in flight, up to ``grace`` seconds, and closes everything. Also after a failed start."""
        cut_off = await self.server.stop(grace)
        if cut_off:
            log.warning("requests in flight were cut off", extra={"requests": cut_off})
        await self.admin.stop()
        await self.store.close()


def build(config: Config, *, credentials: CredentialsProvider | None = None, wrap: Wrap | None = None) -> Daemon:
    """Composes the daemon. ``wrap`` goes around the innermost Backend: where a test puts one that injects faults."""
    store: Remote | Standalone
    if isinstance(config.store, StandaloneConfig):
        store = Standalone(config.store)
        section, allows_origin = "standalone", store.allows_origin
    else:
        store = Remote(config.store, credentials or Chain())
        section, allows_origin = "remote", None
    backend: Backend = store
    if wrap is not None:
        backend = wrap(backend)
    server = Server(backend, config.server, allows_origin=allows_origin)
    status = Status(
        {
            "endpoint": lambda: server.url,
            section: store.document,
            "requests": server.pipeline.access_log.document,
            "settings": lambda: {name: asdict(setting) for name, setting in config.settings.items()},
        }
    )
    return Daemon(server, Admin(config.admin, status, lambda: server.serving), store)
