"""The composition root: the whole architecture on one screen.

A feature is a Backend around a Backend. Innermost is where the objects are: the remote, or the embedded store. Pending
writes shadow the cache, so the write queue is the outermost; the read cache is between it and the innermost.
Nothing is composed anywhere else.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import asdict

from s3d.daemon.admin import Admin
from s3d.daemon.config import Config
from s3d.daemon.gate import Gate, Judge
from s3d.daemon.status import Status
from s3d.filters.rules import Rules
from s3d.read_cache.backend import ReadCache
from s3d.remote.backend import Remote
from s3d.remote.credentials import Chain, CredentialsProvider
from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error
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
        rules: Rules | None = None,
        judge: Judge | None = None,
    ) -> None:
        self.server = server
        self.admin = admin
        self.store = store
        self.write_queue = write_queue
        self.read_cache = read_cache
        self._rules = rules or Rules()
        self._judge = judge
        self._deciding: asyncio.Task[None] | None = None
        self._is_changed = False

    async def apply(self, config: Config) -> None:
        """Lets the rules of a configuration be in force, and decides again what they are about. S3Error."""
        self._rules.replace(config.rules)
        if self._judge is not None:
            await self._judge.reload()
        await self._decide_again()

    def policy_changed(self) -> None:
        """Earlier answers of the policy may not be right any more: decides again, in the background."""
        self._is_changed = True
        if self._deciding is None or self._deciding.done():
            self._deciding = asyncio.get_running_loop().create_task(self._decide_quietly())

    async def _decide_quietly(self) -> None:
        while self._is_changed:
            self._is_changed = False
            try:
                await self._decide_again()
            except S3Error as error:
                log.error("not all objects were decided again", extra={"error": error.message})

    async def _decide_again(self) -> None:
        try:
            if self.write_queue is not None:
                await self.write_queue.decide_again()
        finally:
            if self.read_cache is not None:
                await self.read_cache.decide_again()

    async def start(self) -> None:
        """Opens the store, the cache and the queue, then listens; a remote is contacted by the first request. Raises
        CannotOpen, CannotListen, OSError (certificate)."""
        if isinstance(self.store, Standalone):
            await self.store.open()
        if self._judge is not None:
            self._judge.open(self.policy_changed)
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
        if self._deciding is not None:
            self._deciding.cancel()
            await asyncio.gather(self._deciding, return_exceptions=True)
        if self.write_queue is not None:
            left = await self.write_queue.close(max(0.0, until - time.monotonic()))
        await self.admin.stop()
        if self.read_cache is not None:
            await self.read_cache.close()
        if self._judge is not None:
            await self._judge.close()
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
        backend = read_cache = ReadCache(config.read_cache, backend, config.rules)
    write_queue = None
    if config.write_queue is not None:
        backend = write_queue = WriteQueue(config.write_queue, backend, config.rules)
    judge = gate = None
    if config.policy is not None:
        config.rules.policy = judge = Judge(config.policy)
        backend = gate = Gate(backend, judge, write_queue, read_cache)
    server = Server(backend, config.server, allows_origin=allows_origin)
    status = Status(
        {
            "endpoint": lambda: server.url,
            section: store.document,
            **({"write_queue": write_queue.document} if write_queue is not None else {}),
            **({"read_cache": read_cache.document} if read_cache is not None else {}),
            **({"policy": judge.document} if judge is not None else {}),
            "requests": server.pipeline.access_log.document,
            "settings": lambda: {name: asdict(setting) for name, setting in config.settings.items()},
        }
    )
    explain = gate.explain if gate is not None else None
    admin = Admin(config.admin, status, lambda: server.serving, write_queue, read_cache, explain)
    return Daemon(server, admin, store, write_queue, read_cache, config.rules, judge)
