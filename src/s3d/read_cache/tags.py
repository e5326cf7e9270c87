"""Tags of objects and buckets: as they are set through this daemon, and as the remote has them. Those with
``s3d.cache=pin`` are pins."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from s3d.read_cache.answers import TAG_COUNT
from s3d.read_cache.config import ReadCacheConfig
from s3d.read_cache.entry import Entry, Key
from s3d.read_cache.filling import Filling
from s3d.read_cache.known_tags import KnownTags, Tags, of_members
from s3d.read_cache.pins import BY_BUCKET_TAG, BY_OBJECT_TAG, BY_POLICY, Pin, Pins
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.s3.uri import parse_query

log = logging.getLogger("s3d.read_cache")

TAG = ("s3d.cache", "pin")
_OF_BUCKETS = ("PutBucketTagging", "DeleteBucketTagging", "DeleteBucket")


class Tagged:
    """Of one cache."""

    def __init__(self, config: ReadCacheConfig, filling: Filling, pins: Pins, known: KnownTags) -> None:
        self._asks = config.tags
        self._known = known
        self._filling = filling
        self._pins = pins
        self._buckets: set[str] = set()

    def changing(self, request: S3Request, keys: Sequence[Key]) -> None:
        """A request that may change these keys, or their bucket, is sent, or was carried out."""
        for at in keys:
            self._known.change(at)
        if request.operation in _OF_BUCKETS:
            self._known.change(request.bucket or "")

    def unclear(self, request: S3Request, keys: Sequence[Key]) -> None:
        """Nobody knows whether it was carried out."""
        self.changing(request, keys)
        for at in keys:
            self._known.forget_object(at)
        if request.operation in _OF_BUCKETS:
            self._known.forget_bucket(request.bucket or "")

    async def changed(self, request: S3Request, members: dict[str, Any] | None, keys: Sequence[Key]) -> None:
        """A request changed these keys, or their bucket; ``members``: those of its document. S3Error."""
        self.changing(request, keys)
        if request.operation in _OF_BUCKETS:
            await self._of_bucket(request.bucket or "", of_members((members or {}).get("Tagging") or {}))
        elif request.operation in ("PutObjectTagging", "DeleteObjectTagging"):
            if any(name == "versionId" for name, _ in request.query):  # that of the current version is learnt
                self._known.forget_object(keys[0])
            else:
                await self._of_object(keys[0], of_members((members or {}).get("Tagging") or {}))
        elif request.operation == "PutObject" or _retags(request):
            await self._of_object(keys[0], dict(parse_query(request.headers.get("x-amz-tagging", ""))))
        elif any(name == "versionId" for name, _ in request.query):  # what is pinned is looked at by the next refresh
            self._known.forget_object(keys[0])
        elif not any(name in ("acl", "legal-hold", "retention", "restore") for name, _ in request.query):
            for at in keys:  # it is another object now, or none: what its tags are is learnt when it is fetched
                self._known.forget_object(at)
                await self._note(Pin(*at, BY_OBJECT_TAG), is_pinned=False)
                await self._note(Pin(*at, BY_POLICY), is_pinned=False)

    def fetched(self, entry: Entry, response: S3Response) -> None:
        """The remote's answer to a GetObject says how many tags the object has, if it has some."""
        if not self._asks or entry.tags_known or entry.gone:
            return
        entry.tags_known = True
        pin = Pin(*entry.at, BY_OBJECT_TAG)
        if response.headers.get(TAG_COUNT, "0") != "0":
            self._filling.spawn(_later(self.learn(entry.at)))
        else:
            self._known.note_new(entry.at)
            if self._pins.has(pin):
                self._filling.spawn(self._note(pin, is_pinned=False))

    def passed(self, at: Key, response: S3Response) -> None:
        """The same of an answer that went by because of the rules: a tag may say that it is to be kept."""
        if self._asks and self._known.of_object(at) is None:
            if response.headers.get(TAG_COUNT, "0") != "0":
                self._filling.spawn(_later(self.learn(at)))
            else:
                self._known.note_new(at)

    def seen(self, bucket: str) -> None:
        """It is there, and was read."""
        if self._asks and bucket not in self._buckets:
            self._buckets.add(bucket)
            self._filling.spawn(_later(self.learn_bucket(bucket)))

    def buckets(self) -> list[str]:
        """Those whose tags may pin them: that were read, or have a pin of this kind."""
        if not self._asks:
            return []
        tagged = {pin.bucket for pin in self._pins.prefixes() if pin.kind == BY_BUCKET_TAG}
        return sorted(self._buckets | tagged)

    async def learn(self, at: Key) -> None:
        """Asks for the tags of an object. S3Error."""
        tags = await self._known.learn_object(at)
        if tags is not None:
            await self._note(Pin(*at, BY_OBJECT_TAG), TAG in tags.items())

    async def learn_bucket(self, bucket: str) -> None:
        """The same of a bucket."""
        tags = await self._known.learn_bucket(bucket)
        if tags is not None:
            await self._note(Pin(bucket, b"", BY_BUCKET_TAG), TAG in tags.items())
            if self._known.of_bucket(bucket) is None:  # it is not there any more
                self._buckets.discard(bucket)

    async def _of_bucket(self, bucket: str, tags: Tags) -> None:
        self._known.note_bucket(bucket, tags)
        await self._note(Pin(bucket, b"", BY_BUCKET_TAG), TAG in tags.items())

    async def _of_object(self, at: Key, tags: Tags) -> None:
        self._known.note_object(at, tags)
        await self._note(Pin(*at, BY_OBJECT_TAG), TAG in tags.items())

    async def _note(self, pin: Pin, is_pinned: bool) -> None:
        if is_pinned:
            await self._pins.add(pin)
        else:
            await self._pins.remove(pin)


def _retags(request: S3Request) -> bool:
    """Whether it is a copy with tags of its own."""
    return request.operation == "CopyObject" and request.headers.get("x-amz-tagging-directive") == "REPLACE"


async def _later(work: Coroutine[Any, Any, None]) -> None:
    """What fails is asked again by a refresh, or the next fetch."""
    try:
        await work
    except S3Error as error:
        log.info("tags could not be learnt", extra={"error": error.message})
