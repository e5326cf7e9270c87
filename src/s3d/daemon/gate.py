"""Asks the policy: whether a request is carried out, and what becomes of objects.

client ──> Gate ──> queue ──> cache ──> remote
             └─ one question for each request; its answer goes with the request
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from s3d.filters.decide import check_allowed
from s3d.filters.facts import Facts
from s3d.policy.answer import Answer
from s3d.policy.config import PolicyConfig
from s3d.policy.open import open_policy
from s3d.policy.policy import Policy
from s3d.policy.question import Question
from s3d.read_cache.backend import ReadCache
from s3d.s3 import codec, routing
from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response, body_length
from s3d.s3.routing import FORM_UPLOAD
from s3d.s3.uri import unquote
from s3d.standalone import copy_source
from s3d.standalone.version import key_bytes, key_text
from s3d.write_queue import facts
from s3d.write_queue.backend import WriteQueue

_MAKES_OBJECT = frozenset({"PutObject", "CreateMultipartUpload"})
_COPIES = frozenset({"CopyObject", "UploadPartCopy"})
_TAGS_OBJECT = frozenset({"PutObjectTagging", "DeleteObjectTagging"})
_ONCE = ("x-amz-copy-source", "x-amz-rename-source", "x-amz-tagging")
"""Headers of which the remote may take another one than the policy is asked about, if there are two."""
_OUTPUTS = ("upload", "cache", "priority", "pin")
_MOST_KEYS = 1000
"""S3's limit for a DeleteObjects."""
_DOCUMENT = 4 << 20
"""Bytes of a document that the policy is asked about: 1,000 keys of 1,024 bytes, escaped."""

Tags = Mapping[str, str]


class Judge:
    """The policy of a daemon: open from `open` to `close`."""

    def __init__(self, config: PolicyConfig) -> None:
        self._config = config
        self._policy: Policy | None = None
        self.epoch = 0
        """Another one when earlier answers may not be right any more."""
        self.decide_again: Callable[[], None] = lambda: None

    def open(self, decide_again: Callable[[], None]) -> None:
        """``decide_again`` is called when what was decided before may not be right any more. Raises CannotOpen."""
        self.decide_again = decide_again
        self._policy = open_policy(self._config, self._changed)

    def _changed(self) -> None:
        self.epoch += 1
        self.decide_again()

    async def close(self) -> None:
        if self._policy is not None:
            await self._policy.close()

    async def reload(self) -> None:
        """Reads the policy again."""
        await self.policy.reload()

    def document(self) -> dict[str, Any]:
        """For the status page."""
        return self.policy.document()

    @property
    def policy(self) -> Policy:
        assert self._policy is not None, "the policy is not open"  # noqa: S101  whoever composes opens before it serves
        return self._policy

    async def __call__(self, operation: str, known: Facts, source_address: str = "") -> Answer:
        """What is to become of an object. Raises nothing."""
        question = Question(
            operation, known.bucket, known.key, known.size, known.tags, known.bucket_tags, known.headers, known.metadata,
            "", source_address, time.time(),
        )  # fmt: skip
        return await self.policy.ask(question)


class Gate:
    """The outermost Backend. Queue and cache, if there are any, know tags."""

    def __init__(
        self, inner: Backend, judge: Judge, queue: WriteQueue | None = None, cache: ReadCache | None = None
    ) -> None:
        self._inner = inner
        self._judge = judge
        self._knowing = [part for part in (queue, cache) if part is not None]
        self._in_flight: Counter[int] = Counter()
        """Requests by the epoch in which they came."""

    async def __call__(self, request: S3Request) -> S3Response:
        """Raises AccessDenied, and what the inner one raises."""
        epoch = self._judge.epoch
        self._in_flight[epoch] += 1
        try:
            return await self._judged(request)
        finally:
            self._in_flight[epoch] -= 1
            if not self._in_flight[epoch]:
                del self._in_flight[epoch]
                if epoch != self._judge.epoch:  # they may have been accepted by what the policy said before
                    self._judge.decide_again()

    async def _judged(self, request: S3Request) -> S3Response:
        answers = await asyncio.gather(
            *[self._judge.policy.ask(question) for question in await self._questions(request)]
        )
        check_allowed(*answers)
        request.said = answers[0]
        return await self._inner(request)

    async def explain(self, operation: str, known: Facts) -> dict[str, Any]:
        """What the policy says now to a client on this machine: whether the operation is carried out, what it says of the
        object, and who says so."""
        of_bucket = self._tags_of(known.bucket, None)
        answer = await self._judge(operation, replace(known, bucket_tags=of_bucket), "127.0.0.1")
        said = {name: getattr(answer, name) for name in _OUTPUTS if getattr(answer, name) is not None}
        return {"allowed": answer.allow is not False, "says": said, "why": answer.why}

    async def _questions(self, request: S3Request) -> list[Question]:
        """What the request is about; of each key that it deletes, of what it copies or renames, and of the tags that an
        object gets, one more. Of one that nobody here knows also what the remote may take it for: else a parameter that
        the remote ignores would be a way around the policy. S3Error."""
        _check_clear(request)
        found = []
        for operation in _operations(request):
            found.append(self._question(request, operation))
            bucket = request.bucket or ""
            if operation == "DeleteObjects":
                found += [self._about(request, "DeleteObject", bucket, key) for key in await _keys(request)]
            elif operation in _TAGS_OBJECT:
                found.append(replace(found[-1], tags=await _new_tags(request, operation)))
            elif operation in _COPIES:
                source = copy_source.parse(request.headers.get("x-amz-copy-source", ""))
                found.append(self._about(request, "GetObject", source.bucket, key_text(source.key)))
            elif operation == "RenameObject":  # in its bucket, whose name may stand before the key
                path = unquote(request.headers.get("x-amz-rename-source", "")).removeprefix("/")
                for key in dict.fromkeys((path, path.removeprefix(f"{bucket}/"))):
                    found += [self._about(request, name, bucket, key) for name in ("GetObject", "DeleteObject")]
        return found

    def _question(self, request: S3Request, operation: str) -> Question:
        bucket, key = request.bucket, request.key
        if bucket is None or key is None or operation not in _MAKES_OBJECT:
            return self._about(request, operation, bucket, key)
        size = body_length(request.body) if operation == "PutObject" else 0
        known = facts.of_request(request, key_bytes(key), size, self._tags_of(bucket, None))
        return Question(
            operation, bucket, key, size if operation == "PutObject" else None, known.tags, known.bucket_tags,
            known.headers, known.metadata, "", request.source_address, time.time(),
        )  # fmt: skip

    def _about(self, request: S3Request, operation: str, bucket: str | None, key: str | None) -> Question:
        tags = self._tags_of(bucket, key) if bucket is not None and key is not None else None
        of_bucket = self._tags_of(bucket, None) if bucket is not None else None
        source = request.source_address
        return Question(operation, bucket, key, None, tags, of_bucket, source_address=source, time=time.time())

    def _tags_of(self, bucket: str, key: str | None) -> Tags | None:
        """Of a bucket, or of an object, as they are known."""
        found = (p.bucket_tags(bucket) if key is None else p.object_tags(bucket, key) for p in self._knowing)
        return next((tags for tags in found if tags is not None), None)


def _operations(request: S3Request) -> list[str]:
    """All that the request may be."""
    if request.operation != routing.UNKNOWN:
        return [request.operation]
    asked = request.method, request.bucket, request.key, request.query, request.headers
    return [routing.UNKNOWN, *routing.readings(*asked)]


def _check_clear(request: S3Request) -> None:
    """Raises InvalidRequest if the remote may take a request for something that the policy cannot be asked about."""
    for name in _ONCE:
        if len(request.headers.getall(name, ())) > 1:
            raise S3Error("InvalidRequest", f"The header {name} is there twice.")
    if FORM_UPLOAD in _operations(request):  # what s3d knows as a form is a PutObject here
        raise S3Error("InvalidRequest", "A browser's form has parameters in its URL that s3d does not know.")


async def _new_tags(request: S3Request, operation: str) -> Tags:
    """Those that an object gets. S3Error."""
    if operation == "DeleteObjectTagging":
        return {}
    tag_set = (await _document(request, operation))["Tagging"].get("TagSet") or []
    return {str(tag["Key"]): str(tag["Value"]) for tag in tag_set}


async def _document(request: S3Request, operation: str) -> dict[str, Any]:
    """The members of a request, whose body is in memory afterwards. S3Error."""
    if not isinstance(request.body, bytes):
        if request.body.length > _DOCUMENT:
            raise S3Error("MaxMessageLengthExceeded")
        request.body = b"".join([piece async for piece in request.body])
    return codec.parse_request(replace(request, operation=operation), request.body)


async def _keys(request: S3Request) -> list[str]:
    """Those that a DeleteObjects names. S3Error."""
    objects = (await _document(request, "DeleteObjects"))["Delete"].get("Objects") or []
    if len(objects) > _MOST_KEYS:  # before the policy is asked about each
        raise S3Error("MalformedXML")
    return [str(entry["Key"]) for entry in objects]
