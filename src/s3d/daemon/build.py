"""The composition root: the whole architecture on one screen.

A feature is a Backend around a Backend. Innermost is where the objects are: the remote, or the embedded store. Pending
writes shadow the cache, so the write queue is the outermost; the read cache is between it and the innermost.
Nothing is composed anywhere else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict

from s3d.daemon.admin import Admin
from s3d.daemon.config import Config
from s3d.daemon.status import Status
from s3d.read_cache.backend import ReadCache
from s3d.remote.backend import Remote
from s3d.remote.credentials import Chain, CredentialsProvider
from s3d.s3.backend import Backend
from s3d.server.listener import Server
from s3d.standalone.backend import Standalone
from s3d.standalone.config import StandaloneConfig
from s3d.write_queue.backend import WriteQueue

log = logging.getLogger("s3d.daemon")

Wrap = Callable[[Backend], Backend]


class Daemon:
    """What runs: the S3 listener, the admin listener, the write queue and the read cache if there are any, and the
    connection to the remote or the embedded store."""

    def __init__(
        self,
        server: Server,
        admin: Admin,
        store: Remote | Standalone,
        write_queue: WriteQueue | None = None,
        read_cache: ReadCache | None = None,
    ) -> None:
        self.server = server
        self.admin = admin
        self.store = store
        self.write_queue = write_queue
        self.read_cache = read_cache

    async def start(self) -> None:
        """Opens the store, the cache and the queue, then listens; a remote is contacted by the first request. Raises
        CannotOpen, CannotListen, OSError (certificate)."""
        if isinstance(self.store, Standalone):
            await self.store.open()
        if self.read_cache is not None:
            await self.read_cache.open()
        if self.write_queue is not None:
            await self.write_queue.open()
        await self.server.start()
        await self.admin.start()

    async def stop(self, grace: float) -> int:
        """Finishes what is in flight, pushes what waits, both together up to ``grace`` seconds, and closes everything. How
        many operations are left in the write queue. Also after a failed start."""
        until = time.monotonic() + grace
        cut_off = await self.server.stop(grace)
        if cut_off:
            log.warning("requests in flight were cut off", extra={"requests": cut_off})
        left = 0
        if self.write_queue is not None:
            left = await self.write_queue.close(max(0.0, until - time.monotonic()))
        await self.admin.stop()
        if self.read_cache is not None:
            await self.read_cache.close()
        await self.store.close()
        return left


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
    read_cache = None
    if config.read_cache is not None:
        backend = read_cache = ReadCache(config.read_cache, backend)
    write_queue = None
    if config.write_queue is not None:
        backend = write_queue = WriteQueue(config.write_queue, backend)
    server = Server(backend, config.server, allows_origin=allows_origin)
    status = Status(
        {
            "endpoint": lambda: server.url,
            section: store.document,
            **({"write_queue": write_queue.document} if write_queue is not None else {}),
            **({"read_cache": read_cache.document} if read_cache is not None else {}),
            "requests": server.pipeline.access_log.document,
            "settings": lambda: {name: asdict(setting) for name, setting in config.settings.items()},
        }
    )
    admin = Admin(config.admin, status, lambda: server.serving, write_queue, read_cache)
    return Daemon(server, admin, store, write_queue, read_cache)
