"""Fetching before anybody reads: what a list of the remote has and is not here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from s3d.read_cache.ask import Asker, Away, Current, Watch
from s3d.read_cache.body import fill
from s3d.read_cache.config import ReadCacheConfig
from s3d.read_cache.entry import Entry, Key
from s3d.read_cache.fetch import ask
from s3d.read_cache.filling import Filling
from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.whole import read_whole
from s3d.standalone.version import key_bytes, key_text

PARALLEL = 8
"""Objects that are fetched at a time."""


@dataclass(slots=True)
class Progress:
    """How far it is. ``listed`` objects of ``bytes``; of those ``done``, which have ``done_bytes``: they were ``here``, or
    ``fetched``, or are not ``kept`` by rule, or have ``no_room``, or ``failed``, for ``error``."""

    listed: int = 0
    bytes: int = 0
    done: int = 0
    done_bytes: int = 0
    here: int = 0
    fetched: int = 0
    fetched_bytes: int = 0
    not_kept: int = 0
    no_room: int = 0
    failed: int = 0
    error: str | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class _Listed:
    """An object as it is listed. ``modified``: seconds since 1970."""

    key: bytes
    etag: str
    size: int
    modified: float


class Warmer:
    """Of one cache."""

    def __init__(self, config: ReadCacheConfig, filling: Filling, asker: Asker) -> None:
        self._config = config
        self._filling = filling
        self._asker = asker

    async def warm(
        self,
        bucket: str,
        prefix: bytes,
        progress: Progress,
        *,
        since: float | None = None,
        parallel: int = PARALLEL,
    ) -> None:
        """All objects of a prefix, but for those that were changed before ``since`` (seconds since 1970). Raises S3Error if
        the remote does not list; what becomes of single objects is in ``progress``."""
        free = asyncio.Semaphore(parallel)
        failed: S3Error | None = None
        with self._asker.watch() as watch:
            async with asyncio.TaskGroup() as group:
                try:
                    async for asked, page in self._list(bucket, prefix):
                        wanted = [found for found in page if since is None or found.modified >= since]
                        progress.listed += len(wanted)
                        progress.bytes += sum(found.size for found in wanted)
                        for found in wanted:
                            await asyncio.sleep(0)  # others come first
                            at = bucket, found.key
                            if self._is_here(at, found, asked, watch):
                                _count(progress, "here", found.size)
                                continue
                            await free.acquire()
                            task = group.create_task(self._one(at, found.size, progress))
                            task.add_done_callback(lambda _: free.release())
                except S3Error as error:  # a group would wrap it, and what has begun goes on
                    failed = error
        if failed is not None:
            raise failed
        progress.ended = True

    async def one(self, at: Key, progress: Progress) -> None:
        """The object of a key, whatever its size."""
        progress.listed += 1
        await self._one(at, 0, progress)

    def _is_here(self, at: Key, listed: _Listed, asked: float, watch: Watch) -> bool:
        """Whether all of the listed version is here: then it is confirmed, as of when the list was asked for."""
        entry = self._filling.find(at)
        if entry is None or entry.ask or not entry.has(0, entry.count) or not _is_listed(entry, listed):
            return False
        if watch.is_unchanged(at) and asked > entry.confirmed:
            entry.confirmed = asked
            self._filling.describe(entry)
        return asked <= entry.confirmed

    async def _one(self, at: Key, size: int, progress: Progress) -> None:
        try:
            progress.error = await self._fetch(at, size, progress) or progress.error
        except S3Error as error:
            _count(progress, "failed", size)
            progress.error = f"{at[0]}/{key_text(at[1])}: {error.message}"

    async def _fetch(self, at: Key, size: int, progress: Progress) -> str | None:
        """What went wrong."""
        if size > self._filling.largest or self._asker.admission.by_name(at) is not None:
            _count(progress, "not_kept", size)
            return None
        if progress.fetched_bytes + size > self._config.max_size or not self._filling.could_take(at, size):
            _count(progress, "no_room", size)
            return None
        entry = self._filling.find(at)
        outcome = await (self._asker.open(at, None) if entry is None else self._asker.confirm(at, entry))
        if isinstance(outcome, Away):
            raise outcome.error
        if not isinstance(outcome, Current):
            _count(progress, "not_kept", size)
            return None
        entry = outcome.entry
        before = entry.stored() if outcome.kept else 0
        if not await fill(self._filling, entry):
            _count(progress, "no_room", size)
            return None
        self._filling.keep_longer(entry)
        _count(progress, "fetched", size)
        progress.fetched_bytes += entry.size - before
        return None

    async def _list(self, bucket: str, prefix: bytes) -> AsyncGenerator[tuple[float, list[_Listed]], None]:
        """Pages, and when each was asked for. Raises S3Error."""
        members: dict[str, Any] = {"Bucket": bucket, "Prefix": key_text(prefix), "EncodingType": "url"}
        while True:
            asked = time.time()
            page = await self._page(members)
            yield asked, [_listed(entry, page) for entry in page.get("Contents") or []]
            token = page.get("NextContinuationToken")
            if not page.get("IsTruncated"):
                return
            if not token or token == members.get("ContinuationToken"):
                raise S3Error(
                    "InternalError", "The remote's list breaks off: it says that there is more, but not where."
                )
            members["ContinuationToken"] = token

    async def _page(self, members: dict[str, Any]) -> dict[str, Any]:
        response = await read_whole(await ask(self._filling.inner, codec.build_request("ListObjectsV2", members)))
        assert isinstance(response.body, bytes)  # noqa: S101  so says `read_whole`
        if response.status == 200:
            return dict(codec.parse_response("ListObjectsV2", response, response.body))
        if response.status >= 500 or response.status == 429:
            raise RemoteUnreachable(f"The remote S3 answers {response.status}.")
        error = codec.parse_error(response, response.body)
        raise S3Error(error.code, error.message or None)


def _listed(entry: dict[str, Any], page: dict[str, Any]) -> _Listed:
    """Of one of the page's; keys travel percent-encoded, with ``+`` for a space, as S3 does it."""
    key = entry["Key"]
    raw = key_bytes(key)
    if page.get("EncodingType") == "url":
        raw = unquote_to_bytes(key.replace("+", " ").encode("utf-8", "surrogateescape"))
    return _Listed(raw, entry.get("ETag", ""), entry.get("Size", 0), entry["LastModified"].timestamp())


def _is_listed(entry: Entry, listed: _Listed) -> bool:
    """Whether it is the version that is listed. A list says the time to the millisecond, a header to the second."""
    same = entry.etag.strip('"') == listed.etag.strip('"') and entry.size == listed.size
    try:
        modified = parsedate_to_datetime(dict(entry.headers).get("Last-Modified", "")).timestamp()
    except ValueError:
        return False
    return same and modified == int(listed.modified)


def _count(progress: Progress, what: str, size: int) -> None:
    setattr(progress, what, getattr(progress, what) + 1)
    progress.done += 1
    progress.done_bytes += size
