"""What goes on in the background: pinned objects are kept fresh, those that nobody reads go."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time

from s3d.read_cache.ask import Asker
from s3d.read_cache.config import ReadCacheConfig
from s3d.read_cache.filling import Filling
from s3d.read_cache.index import Index, logged
from s3d.read_cache.pins import BY_OBJECT_TAG, Pin, Pins
from s3d.read_cache.tags import Tagged
from s3d.read_cache.uploads import Uploads
from s3d.read_cache.warm import PARALLEL, Progress, Warmer
from s3d.s3.errors import S3Error

log = logging.getLogger("s3d.read_cache")

_LEAST, _WITHOUT_AGE = 10.0, 60.0
"""Seconds between two refreshes at least, and if nothing counts as fresh."""
_PAGE = 256


class Keeper:
    """Of one cache."""

    def __init__(
        self, config: ReadCacheConfig, filling: Filling, index: Index, pins: Pins, tagged: Tagged, uploads: Uploads,
        asker: Asker, warmer: Warmer,
    ) -> None:  # fmt: skip
        self._config = config
        self._filling = filling
        self._index = index
        self._pins = pins
        self._tagged = tagged
        self._uploads = uploads
        self._asker = asker
        self._warmer = warmer
        self._wake = asyncio.Event()
        self.no_room = 0
        """Pinned objects that did not fit when they were looked at last; ``failed``: that could not be fetched."""
        self.failed = 0

    @property
    def interval(self) -> float:
        """Seconds between two refreshes."""
        return max(self._config.max_age / 2, _LEAST) if self._config.max_age else _WITHOUT_AGE

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        settled = False
        while True:
            try:
                if not settled:
                    await self._pins.settle_all()
                    settled = True
                await self.round()
            except S3Error as error:
                logged(error)
            except (sqlite3.Error, OSError) as error:
                log.error("the database of the cache cannot be read", extra={"error": str(error)})
            try:
                async with asyncio.timeout(self.interval):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def round(self) -> None:
        """Everything once. S3Error, sqlite3.Error."""
        self._uploads.sweep()
        await self._remove_inactive()
        progress = Progress()
        for bucket in self._tagged.buckets():
            try:
                await self._tagged.learn_bucket(bucket)
            except S3Error as error:
                progress.error = f"{bucket}: {error.message}"
        for pin in self._pins.prefixes():
            await self._pins.settle(pin)
            await self._refresh(pin, progress)
        await self._refresh_keys(progress)
        self.no_room, self.failed = progress.no_room, progress.failed
        if progress.no_room:
            log.warning("pinned objects do not fit into the cache", extra={"objects": progress.no_room})
        if progress.error is not None:
            log.warning("pinned objects could not be fetched", extra={"error": progress.error})

    async def _refresh(self, pin: Pin, progress: Progress) -> None:
        """What a bucket or prefix has; and what is here of it and was not in the list is asked for."""
        begun = time.time()
        try:
            await self._warmer.warm(pin.bucket, pin.prefix, progress)
        except S3Error as error:
            progress.error = f"{pin.bucket}: {error.message}"
            return
        after = ("", b"")
        while rows := self._index.page(pin.bucket, pin.prefix, after, _PAGE):
            for row in rows:
                entry = self._filling.find(row.at)
                if entry is not None and entry.confirmed < begun:
                    await self._asker.confirm(row.at, entry)
            after = rows[-1].at

    async def _refresh_keys(self, progress: Progress) -> None:
        """Objects that are pinned by their tags, or by the policy."""
        free = asyncio.Semaphore(PARALLEL)

        async def refresh(pin: Pin) -> None:
            at = pin.bucket, pin.prefix
            async with free:
                try:
                    if self._config.tags and pin.kind == BY_OBJECT_TAG:
                        await self._tagged.learn(at)
                except S3Error as error:
                    progress.failed += 1
                    progress.error = f"{at[0]}: {error.message}"
                    return
                if self._pins.has(pin):  # the policy is asked again when it is confirmed
                    await self._warmer.one(at, progress)

        async with asyncio.TaskGroup() as group:
            for pin in self._pins.objects():
                group.create_task(refresh(pin))

    async def _remove_inactive(self) -> None:
        config = self._config
        before = time.time() - max(config.inactive, config.max_age + config.stale)
        while rows := self._index.inactive(before, _PAGE):
            idle = [row for row in rows if not self._filling.is_in_use(row.at)]
            await self._filling.purge(idle)
            if len(idle) < len(rows):
                return
