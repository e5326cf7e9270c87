"""Tags of objects and buckets, as the remote said them last or as they were set through this daemon."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from s3d.local.questions import Questions
from s3d.read_cache.entry import Key
from s3d.read_cache.fetch import ask
from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request
from s3d.s3.whole import read_whole
from s3d.standalone.version import key_text

_AGE = 300.0
"""Seconds after which they are asked for again, if they are needed."""
_REMEMBERED = 100_000
"""Objects whose tags are remembered."""

Tags = Mapping[str, str]
_NO_BUCKET = "NoSuchBucket"
_NO_OBJECT = ("NoSuchKey", _NO_BUCKET, "MethodNotAllowed")
_NO_TAGS = ("NoSuchTagSet", _NO_BUCKET)


class KnownTags:
    """Of one cache. ``changed`` is told of an object (or of a bucket: no key) that has other tags than were known;
    False: they were not known, and it has none."""

    def __init__(self, inner: Backend) -> None:
        self._inner = inner
        self._objects: OrderedDict[Key, tuple[float, Tags]] = OrderedDict()
        self._buckets: dict[str, tuple[float, Tags]] = {}
        self._questions = Questions()
        self.changed: Callable[[str, bytes | None, bool], None] = lambda _bucket, _key, _has: None

    def of_object(self, at: Key) -> Tags | None:
        """None: not known."""
        found = self._objects.get(at)
        return found[1] if found else None

    def of_bucket(self, bucket: str) -> Tags | None:
        """None: not known."""
        found = self._buckets.get(bucket)
        return found[1] if found else None

    def note_object(self, at: Key, tags: Tags) -> None:
        """It has these."""
        before = self._note(at, tags)
        if before != tags:
            self.changed(*at, before is not None or bool(tags))

    def note_new(self, at: Key) -> None:
        """It has none, and whether it may be here was decided with that."""
        if self._note(at, {}):
            self.changed(*at, True)

    def note_bucket(self, bucket: str, tags: Tags) -> None:
        """It has these."""
        before = self.of_bucket(bucket)
        self._buckets[bucket] = time.monotonic(), tags
        if before != tags:
            self.changed(bucket, None, before is not None or bool(tags))

    def forget_object(self, at: Key) -> None:
        """It is another object now, or none; or nobody knows."""
        self._objects.pop(at, None)

    def forget_bucket(self, bucket: str) -> None:
        """The same of a bucket."""
        self._buckets.pop(bucket, None)

    def change(self, about: Key | str) -> None:
        """The remote is asked to give other tags to an object or a bucket, or has done it: what it said before counts no
        more."""
        self._questions.change(about)

    async def object(self, at: Key) -> Tags | None:
        """Those of an object; asks if they are old. None: the remote does not say."""
        found = self._objects.get(at)
        if found is not None and time.monotonic() - found[0] < _AGE:
            return found[1]
        try:
            return await self.learn_object(at)
        except S3Error:
            return self.of_object(at)

    async def bucket(self, bucket: str) -> Tags | None:
        """The same of a bucket."""
        found = self._buckets.get(bucket)
        if found is not None and time.monotonic() - found[0] < _AGE:
            return found[1]
        try:
            return await self.learn_bucket(bucket)
        except S3Error:
            return self.of_bucket(bucket)

    async def learn_object(self, at: Key) -> Tags | None:
        """Asks. None: the answer says nothing. S3Error."""
        request = codec.build_request("GetObjectTagging", {"Bucket": at[0], "Key": key_text(at[1])})
        tags, _ = await self._questions.ask(at, partial(self._learn, request, _NO_OBJECT))
        if tags is not None:
            self.note_object(at, tags)
        return tags

    async def learn_bucket(self, bucket: str) -> Tags | None:
        """The same of a bucket."""
        request = codec.build_request("GetBucketTagging", {"Bucket": bucket})
        tags, error = await self._questions.ask(bucket, partial(self._learn, request, _NO_TAGS))
        if error == _NO_BUCKET:
            self.forget_bucket(bucket)
        elif tags is not None:
            self.note_bucket(bucket, tags)
        return tags

    def _note(self, at: Key, tags: Tags) -> Tags | None:
        """What was known before."""
        before = self.of_object(at)
        self._objects[at] = time.monotonic(), tags
        self._objects.move_to_end(at)
        if len(self._objects) > _REMEMBERED:
            self._objects.popitem(last=False)
        return before

    async def _learn(self, request: S3Request, without: Sequence[str]) -> tuple[Tags | None, str]:
        """Tags, and the code of the error. ``without``: errors that mean that there are no tags; others say nothing."""
        response = await read_whole(await ask(self._inner, request))
        body = response.body
        assert isinstance(body, bytes)  # noqa: S101  so says `read_whole`
        if response.status == 200:
            return of_members(codec.parse_response(request.operation, response, body)), ""
        code = codec.parse_error(response, body).code
        return ({} if code in without else None), code


def of_members(members: Mapping[str, Any]) -> Tags:
    """Those of a ``Tagging`` document, or of an answer that has a ``TagSet``."""
    return {str(tag.get("Key")): str(tag.get("Value") or "") for tag in members.get("TagSet") or []}
