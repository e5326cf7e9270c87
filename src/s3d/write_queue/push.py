"""Pushing one operation: the requests, and what confirms them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import re
from collections.abc import Iterable, Iterator

from multidict import CIMultiDict

from s3d.local.bodies import Bodies
from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.s3.whole import read_whole
from s3d.standalone.version import Version, key_text
from s3d.write_queue.journal import Journal
from s3d.write_queue.operation import DELETE, PUSHING, PUT, TAG, Operation, Pushed
from s3d.write_queue.outcome import Refusal, of_error, refusal
from s3d.write_queue.push_requests import has_checksum, headers_of, pushed, request_of, shows_checksum
from s3d.write_queue.push_upload import push_upload
from s3d.write_queue.pushed_body import Bandwidth, check, damage, request_body

log = logging.getLogger("s3d.write_queue")

_MD5 = re.compile(r"[0-9a-f]{32}(-\d+)?")
_LOOKED_AT = re.compile(
    r"x-amz-meta-.*|content-type|cache-control|content-disposition|content-encoding|content-language|expires"
    r"|x-amz-storage-class|x-amz-website-redirect-location|x-amz-server-side-encryption",
    re.IGNORECASE,
)
_IMPLIED = {"x-amz-storage-class": "STANDARD"}
"""Headers that S3 leaves out where they have this value."""
_ADDED = frozenset({"content-type", "x-amz-server-side-encryption", *_IMPLIED})
"""Headers that a remote gives an object by itself."""
_UNSEEN = ("x-amz-acl", "x-amz-grant-")
"""Of a put; no answer shows them."""
_CHECKSUM = ("x-amz-checksum-", "x-amz-sdk-checksum-algorithm")
_PAGE = (b"<!doctype html", b"<html")


class Pusher:
    """Sends operations through a Backend."""

    def __init__(self, journal: Journal, inner: Backend, bodies: Bodies, bandwidth: Bandwidth) -> None:
        self.journal = journal
        self.bodies = bodies
        self.bandwidth = bandwidth
        self._inner = inner
        self._beginning = 0
        self._none_begins = asyncio.Event()
        self._none_begins.set()

    @contextlib.contextmanager
    def beginning(self) -> Iterator[None]:
        """Inside, an upload may be at the remote whose id is not yet in the journal."""
        self._beginning += 1
        self._none_begins.clear()
        try:
            yield
        finally:
            self._beginning -= 1
            if not self._beginning:
                self._none_begins.set()

    async def uploads_known(self) -> None:
        """Returns when the journal has the ids of all uploads that were begun before at the remote."""
        await self._none_begins.wait()

    async def push(self, operation: Operation) -> Pushed | None:
        """What the remote confirmed; None: it was dropped meanwhile. ``operation`` as it was before this attempt. Raises
        Refusal (also for what is damaged here), RemoteUnreachable."""
        if operation.kind == TAG:
            return await self._tag(operation)
        version = self.journal.version(operation)
        if version is None:
            if self.journal.find(operation.seq) is not None:
                raise damage("the row of what is to be pushed is missing")
            return None
        if (
            operation.state == PUSHING
            and _can_be_seen(operation)
            and (found := await self.look(operation, version)) is not None
        ):
            log.debug("it was at the remote already", extra={"bucket": operation.bucket, "operation": operation.kind})
            return found
        if operation.kind == DELETE:
            return await self._delete(operation)
        if operation.kind == PUT:
            return await self._put(operation, version)
        return await push_upload(self, operation, version)

    async def send(self, request: S3Request) -> S3Response:
        """The answer, in memory. Raises Refusal for any that is not 2xx, RemoteUnreachable."""
        response = await self.ask(request)
        if not 200 <= response.status < 300:
            raise refusal(response)
        return response

    async def ask(self, request: S3Request) -> S3Response:
        """The answer, in memory, whatever it is. Raises Refusal, RemoteUnreachable."""
        try:
            response = await read_whole(await self._inner(request))
        except RemoteUnreachable:
            raise
        except S3Error as error:  # an embedded store raises what a remote answers
            raise of_error(error) from error
        if isinstance(response.body, bytes) and response.body[:100].lstrip().lower().startswith(_PAGE):
            message = f"The answer (status {response.status}) is a web page: something stands in front of the remote."
            raise Refusal("NotS3", message, 502, ambiguous=True)
        return response

    async def _put(self, operation: Operation, version: Version) -> Pushed:
        segments, digests = self.journal.segments(version), self.journal.digests(version)
        await check(self.bodies, segments if version.size else (), digests if version.size else ())
        request = request_of(operation, "PutObject", headers_of(operation, version))
        request.body = await request_body(self.bodies, segments, self.bandwidth)
        request.headers["Content-MD5"] = base64.b64encode(bytes.fromhex(version.etag)).decode()
        response = await self.send(request)
        await self.confirm(operation, version, response, response.headers.get("ETag"))
        return pushed(response)

    async def _delete(self, operation: Operation) -> Pushed:
        response = await self.ask(request_of(operation, "DeleteObject"))
        if response.status == 404 and refusal(response).code in ("NoSuchKey", "NotFound"):
            return Pushed()
        if not 200 <= response.status < 300:
            raise refusal(response)
        return pushed(response)

    async def _tag(self, operation: Operation) -> Pushed:
        members = {"Bucket": operation.bucket, "Key": key_text(operation.key)}
        if operation.tags is None:
            return pushed(await self.send(codec.build_request("DeleteObjectTagging", members)))
        tag_set = [{"Key": key, "Value": value} for key, value in operation.tag_set().items()]
        request = codec.build_request("PutObjectTagging", {**members, "Tagging": {"TagSet": tag_set}})
        return pushed(await self.send(request))

    async def look(self, operation: Operation, version: Version) -> Pushed | None:
        """Whether the remote has it: what it would confirm, or None. Raises Refusal (ambiguous), RemoteUnreachable."""
        try:
            return await self._look(operation, version)
        except Refusal as error:
            raise error.unsure() from error

    async def _look(self, operation: Operation, version: Version) -> Pushed | None:
        response = await self._head(operation)
        if response.status == 403:  # also S3's answer for a key that is not there to who may not list the bucket
            return None
        if operation.kind == DELETE and response.status in (200, 404):
            return pushed(response) if response.status == 404 and self._is_marked(operation, response) else None
        if response.status == 404:
            return None
        if response.status != 200:
            raise refusal(response)
        found = pushed(response)
        if not _has_bytes(version, response, found.etag) or not _has_headers(operation, response):
            return None
        if _declares_checksum(operation) and shows_checksum(response) and not has_checksum(response, version.checksum):
            return None
        last = self.journal.last_pushed(operation)
        if found.version_id is not None and last is not None and found.version_id == last.version_id:
            return None  # that is the one before, with the same content
        if self._is_tagged_behind(operation):  # the tags here are those of a later operation
            return found
        return found if await self._has_tags(operation, version, response) else None

    def _is_tagged_behind(self, operation: Operation) -> bool:
        waiting = self.journal.of_key(operation.bucket, operation.key)
        behind = next((other for other in waiting if other.seq > operation.seq), None)
        return behind is not None and behind.kind == TAG

    def _is_marked(self, operation: Operation, response: S3Response) -> bool:
        """Whether an absence is the work of this delete. Where there are versions each delete makes a marker of its own,
        also of nothing; S3 names the newest marker, and not all others do."""
        last = self.journal.last_pushed(operation)
        if response.headers.get("x-amz-delete-marker") != "true":
            was_there = last is not None and last.kind != DELETE
            return was_there or self.journal.versioning(operation.bucket) == ""
        version_id = response.headers.get("x-amz-version-id")
        return version_id in (None, "null") or last is None or version_id != last.version_id

    async def _head(self, operation: Operation) -> S3Response:
        return await self.ask(request_of(operation, "HeadObject", CIMultiDict({"x-amz-checksum-mode": "ENABLED"})))

    async def _has_tags(self, operation: Operation, version: Version, head: S3Response) -> bool:
        if not version.tag_set():
            return head.headers.get("x-amz-tagging-count", "0") == "0"
        response = await self.ask(request_of(operation, "GetObjectTagging"))
        if response.status in (403, 404):
            return False
        if response.status != 200 or not isinstance(response.body, bytes):
            raise refusal(response)
        found = codec.parse_response("GetObjectTagging", response, response.body).get("TagSet") or []
        return {tag["Key"]: tag.get("Value", "") for tag in found} == version.tag_set()

    async def confirm(self, operation: Operation, version: Version, response: S3Response, etag: str | None) -> None:
        """Raises Refusal (ambiguous) unless the answer shows that the remote has these bytes."""
        plain = (etag or "").strip('"').lower()
        if plain == version.etag or has_checksum(response, version.checksum):
            return
        if "x-amz-server-side-encryption" not in response.headers and _MD5.fullmatch(plain):
            raise Refusal("Unverified", f"The remote's ETag is {etag}, not {version.quoted_etag}.", 200, ambiguous=True)
        await self._confirm_size(operation, version)

    async def _confirm_size(self, operation: Operation, version: Version) -> None:
        """Where the ETag says nothing about the bytes."""
        try:
            there = await self._head(operation)
        except Refusal as error:
            raise error.unsure() from error
        if there.status == 403:  # it may be written but not read; the remote has compared the bytes with Content-MD5
            return
        if there.status != 200:
            raise refusal(there).unsure()
        size = there.headers.get("Content-Length")
        if size != str(version.size):
            raise Refusal("Unverified", f"The remote has {size} bytes, not {version.size}.", 200, ambiguous=True)


def _has_bytes(version: Version, head: S3Response, etag: str | None) -> bool:
    same = etag == version.etag or has_checksum(head, version.checksum)
    return same and head.headers.get("Content-Length") == str(version.size)


def _can_be_seen(operation: Operation) -> bool:
    """Whether a look can tell this put from one before it with the same bytes."""
    return not any(name.lower().startswith(_UNSEEN) for name, _ in operation.header_list())


def _declares_checksum(operation: Operation) -> bool:
    """Whether the client said which checksum the object is to have."""
    return any(name.lower().startswith(_CHECKSUM) for name, _ in operation.header_list())


def _has_headers(operation: Operation, response: S3Response) -> bool:
    """Whether an object has the headers that the client gave it, and none beside them that a remote does not add."""
    wanted = _looked_at(operation.header_list())
    there = _looked_at(response.headers.items())
    return all(there.get(name) == value for name, value in wanted.items()) and there.keys() - wanted.keys() <= _ADDED


def _looked_at(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    return _IMPLIED | {name.lower(): value.strip() for name, value in fields if _LOOKED_AT.fullmatch(name)}
