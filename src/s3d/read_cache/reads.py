"""Answering GetObject and HeadObject: from here if that is allowed, else by asking the remote."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from s3d.read_cache import answers
from s3d.read_cache.answers import BYPASS, HIT, MISS, REVALIDATED, STALE, answer, marked
from s3d.read_cache.ask import Absent, Asker, Away, Outcome, Past
from s3d.read_cache.body import Content, read_ahead, ready
from s3d.read_cache.config import ReadCacheConfig
from s3d.read_cache.entry import Entry, Key
from s3d.read_cache.fetch import Changed
from s3d.read_cache.filling import Filling
from s3d.read_cache.rules import Wanted, wanted
from s3d.read_cache.tags import Tagged
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.standalone.version import key_bytes

_BEGIN_ANEW = 3
"""Versions of an object that an answer may find replaced before it has begun."""
_VERSION = "x-amz-version-id"


@dataclass(slots=True)
class Counts:
    """Answers by what they say of the cache, and bytes that came from here, and from the remote to be kept."""

    hit: int = 0
    miss: int = 0
    stale: int = 0
    revalidated: int = 0
    bypass: int = 0
    bytes_saved: int = 0
    bytes_missed: int = 0


class Reads:
    """Of one cache."""

    def __init__(self, config: ReadCacheConfig, filling: Filling, asker: Asker, tagged: Tagged) -> None:
        self._config = config
        self._tagged = tagged
        self._filling = filling
        self._asker = asker
        self.counts = Counts()

    async def read(self, request: S3Request) -> S3Response:
        """The answer. Raises S3Error: what the remote says, PreconditionFailed, NotModified, InvalidRange,
        RemoteUnreachable."""
        asked = wanted(request)
        if isinstance(asked, str):
            return await self._past(request, asked)
        at = request.bucket or "", key_bytes(request.key or "")
        for _ in range(_BEGIN_ANEW):
            try:
                return await self._read(request, asked, at)
            except Changed as error:
                changed = error
        raise changed

    async def _read(self, request: S3Request, asked: Wanted, at: Key) -> S3Response:
        entry = self._filling.find(at)
        state = HIT
        if entry is None or not self._may_be_used(entry, asked):
            if asked.version is not None:
                return await self._past(request, "version")
            if entry is None and (barred := self._asker.admission.by_name(at)) is not None:
                response = await self._past(request, barred)
                if request.operation == "GetObject":
                    self._tagged.passed(at, response)
                return response
            known = self._asker.known(at)
            outcome = await self._ask(at, entry, asked)
            if isinstance(outcome, Absent):
                return await self._absent(request, outcome, HIT if outcome is known else MISS)
            if isinstance(outcome, Past):
                return await self._past(request, outcome.reason)
            if isinstance(outcome, Away):
                if entry is None or not self._may_be_stale(entry):
                    raise outcome.error
                state = STALE
            else:
                entry, state = outcome.entry, REVALIDATED if outcome.kept else MISS
        return await self._answer(request, asked, entry, state)

    def _may_be_used(self, entry: Entry, asked: Wanted) -> bool:
        """Whether it can be answered from without asking."""
        if asked.version is not None and dict(entry.headers).get(_VERSION) != asked.version:
            return False
        if asked.with_checksums and asked.may_be_whole and not entry.whole:
            return False
        return not entry.ask and 0 <= time.time() - entry.confirmed < self._config.max_age

    def _may_be_stale(self, entry: Entry) -> bool:
        return not entry.gone and time.time() - entry.confirmed < self._config.max_age + self._config.stale

    async def _ask(self, at: Key, entry: Entry | None, asked: Wanted) -> Outcome:
        if entry is not None:
            return await self._confirm(at, entry)
        known = self._asker.known(at)
        if known is not None and (not isinstance(known, Absent) or known.named or asked.is_head):
            return known
        if asked.is_head or asked.conditional:
            return await self._asker.confirm(at, None)
        return await self._asker.open(at, asked.range)

    async def _confirm(self, at: Key, entry: Entry) -> Outcome:
        """No longer than what is here may wait for."""
        stale = self._may_be_stale(entry)
        if stale and self._asker.is_away():
            return Away(RemoteUnreachable("The remote S3 gave no answer a moment ago."))
        try:
            async with asyncio.timeout(self._config.deadline if stale else None):
                return await self._asker.confirm(at, entry)
        except TimeoutError:
            return Away(RemoteUnreachable("The remote S3 takes long to answer."))

    async def _answer(self, request: S3Request, asked: Wanted, entry: Entry, state: str) -> S3Response:
        response, offset, length = answer(request, asked, entry, state)
        if state != MISS and entry.expected != offset:  # neither the first read of it nor the next piece of one
            self._filling.room.used(entry)
        if asked.is_head:
            return self._counted(response, state)
        body = await ready(self._filling, entry, offset, length)
        if length < entry.size and state != STALE:
            read_ahead(self._filling, entry, offset, length)
        if body is not None:
            response.body = body
            if state == MISS:
                self.counts.bytes_missed += length
            else:
                self.counts.bytes_saved += length
            return self._counted(response, state)
        if state == STALE:
            raise RemoteUnreachable("The remote S3 is away, and these bytes of the object are not here.")
        content = Content(self._filling, entry, offset, length)
        try:
            await content.begin()
        except BaseException:
            await content.aclose()
            raise
        response.body = content
        response.headers[answers.CACHE] = MISS
        self.counts.bytes_missed += length
        return self._counted(response, MISS)

    async def _absent(self, request: S3Request, absent: Absent, state: str) -> S3Response:
        if request.operation == "GetObject" and not absent.named:
            return await self._past(request, None)
        headers = absent.headers | {answers.CACHE: state, answers.STATE: "remote"}
        raise S3Error("NoSuchKey", elements={"Key": request.key or ""}, headers=headers)

    async def _past(self, request: S3Request, reason: str | None) -> S3Response:
        """The remote's own answer."""
        try:
            response = await self._filling.inner(request)
        except S3Error as error:
            headers = dict(error.headers) | {answers.CACHE: BYPASS}
            if reason is not None:
                headers[answers.REASON] = reason
            self.counts.bypass += 1
            if isinstance(error, RemoteUnreachable):
                raise
            raise S3Error(error.code, error.message, elements=error.elements, headers=headers) from error
        return self._counted(marked(response, BYPASS, reason), BYPASS)

    def _counted(self, response: S3Response, state: str) -> S3Response:
        counts = self.counts
        setattr(counts, state.lower(), getattr(counts, state.lower()) + 1)
        return response
