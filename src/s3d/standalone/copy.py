"""CopyObject.

    source            copy
    one body          shares it: no byte is read, unless another checksum is asked for
    several bodies    is written anew as one body, as S3 does: its ETag is the MD5 of the whole

What the copy is made of is looked up before, because reading takes time, and again inside the transaction.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from multidict import CIMultiDict

from s3d.local.database import Connection, unchanging
from s3d.local.receive import receive
from s3d.s3 import codec
from s3d.s3.checksums import Algorithm
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.standalone import acl, checksums, conditions, copy_source, cors, history, metadata, tags
from s3d.standalone import bucket as buckets
from s3d.standalone.answers import moment
from s3d.standalone.bucket import Bucket
from s3d.standalone.copy_source import CopySource
from s3d.standalone.metadata import REDIRECT, Metadata
from s3d.standalone.store import Call, Members, Store
from s3d.standalone.stored_body import StoredBody, digest, stored_body
from s3d.standalone.version import Version

_ATTEMPTS = 5


class _SourceChangedError(Exception):
    """The source is not any more what was looked up before."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What there is to copy."""

    origin: Bucket
    found: Version
    algorithm: Algorithm
    """Of the copy's checksum."""
    content: StoredBody | None
    """The bytes, where they have to be read. To be closed."""


@dataclass(frozen=True, slots=True)
class _Content:
    """The bytes of the copy as a version has them."""

    size: int
    etag: str
    body: int | None
    checksum: str


async def copy_object(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, those of the source (NoSuchBucket, NoSuchKey, NoSuchVersion, PreconditionFailed), those of
    metadata and of conditional writes, InvalidRequest (onto itself without a change, a delete marker, over 5 GiB)."""
    metadata.refuse_unsupported(call.request.headers)
    store.bucket(call.bucket)
    source = copy_source.parse(call.members["CopySource"])
    cors.check_source(store, call.request, source.bucket)
    wanted = checksums.named(call.members.get("ChecksumAlgorithm"))
    for _ in range(_ATTEMPTS):
        plan = _look(store, call, source, wanted)
        try:
            answer = await _carry_out(store, call, source, plan)
        except _SourceChangedError:
            continue
        return codec.build_response("CopyObject", answer)
    raise S3Error("SlowDown", "The source of the copy is being changed.")


def _refuse_same(source: CopySource, call: Call) -> None:
    """Raises InvalidRequest for a copy of the current version onto itself that would change nothing."""
    same = (source.bucket, source.key, source.version_id) == (call.bucket, call.key, None)
    changes = call.members.get("MetadataDirective") == "REPLACE" or any(
        name in call.members for name in ("StorageClass", "WebsiteRedirectLocation")
    )
    if same and not changes:
        message = (
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
            "metadata, storage class, website redirect location or encryption attributes."
        )
        raise S3Error("InvalidRequest", message)


def _look(store: Store, call: Call, source: CopySource, wanted: Algorithm | None) -> _Plan:
    with unchanging(store.reader):
        origin, found = copy_source.find(store.reader, source, call.members)
        _refuse_same(source, call)
        copy_source.check_size(found.size)
        _described(call, found)  # what is wrong with the request is said before anything is read
        algorithm = wanted or checksums.algorithm_of(found.checksum)
        has_checksum = found.checksum is not None and checksums.algorithm_of(found.checksum) is algorithm
        content = None if has_checksum and found.upload is None else stored_body(store, found, 0, found.size)
    return _Plan(origin, found, algorithm, content)


async def _carry_out(store: Store, call: Call, source: CopySource, plan: _Plan) -> Members:
    """The output members. Raises _SourceChangedError."""
    if plan.content is None:
        assert plan.found.checksum is not None  # noqa: S101  so says `_look`
        return await _share(store, call, source, plan.found, plan.found.checksum)
    async with plan.content:
        if plan.found.upload is not None:
            return await _rewrite(store, call, plan, plan.content)
        checksum = checksums.stored(plan.algorithm, await digest(plan.content, plan.algorithm))
        return await _share(store, call, source, plan.found, checksum)


async def _share(store: Store, call: Call, source: CopySource, before: Version, checksum: str) -> Members:
    """A copy that has the body of its source. Raises _SourceChangedError."""

    def change(connection: Connection) -> Members:
        origin, found = copy_source.find(connection, source, call.members)
        if (found.upload, found.size, found.etag) != (None, before.size, before.etag):
            raise _SourceChangedError
        if found.body is not None:  # before the write, which may remove the source: the copy may be onto itself
            store.bodies.share(connection, found.body)
        content = _Content(found.size, found.etag, found.body, checksum)
        return _write(connection, store, call, origin, found, content)

    return await store.database.change(change)


async def _rewrite(store: Store, call: Call, plan: _Plan, source: StoredBody) -> Members:
    """A copy with a body of its own, of what the source was when it was looked up."""
    async with await receive(store.bodies, source, [plan.algorithm]) as new:
        checksum = checksums.stored(plan.algorithm, new.digests[plan.algorithm.name])

        def change(connection: Connection, body: int | None) -> Members:
            content = _Content(new.size, new.md5.hex(), body, checksum)
            return _write(connection, store, call, plan.origin, plan.found, content)

        return await new.change(change)


def _write(
    connection: Connection, store: Store, call: Call, origin: Bucket, source: Version, content: _Content
) -> Members:
    """Makes the copy the current version of its key. The output members."""
    bucket = buckets.find(connection, call.bucket)
    old = history.current(connection, bucket, call.key)
    conditions.check_write(call.members, call.key, old)
    described = _described(call, source)
    acl.check_upload(connection, bucket, described.acl)
    version = described.version(
        bucket.id, call.key, size=content.size, etag=content.etag, checksum=content.checksum, body=content.body
    )
    history.put(connection, store.bodies, bucket, version, old)
    if store.observer is not None:
        store.observer.wrote(connection, call, version)
    result = {"ETag": version.quoted_etag, "LastModified": moment(version.modified)}
    answer: Members = {"CopyObjectResult": {**result, **checksums.members(content.checksum)}}
    if bucket.versioning == "Enabled":
        answer["VersionId"] = version.version_id
    return {**answer, **copy_source.version_member(origin, source)}


def _described(call: Call, source: Version) -> Metadata:
    """Storage class and access rights come from the request, the rest from it or the source as the directives say."""
    headers = call.request.headers
    replaces_metadata = call.members.get("MetadataDirective") == "REPLACE"
    replaces_tags = call.members.get("TaggingDirective") == "REPLACE"
    return Metadata(
        headers=metadata.stored_headers(headers) if replaces_metadata else _copied_headers(headers, source),
        tags=tags.of_header(headers.get("x-amz-tagging")) if replaces_tags else source.tags,
        storage_class=metadata.storage_class(headers),
        acl=acl.of_headers(headers),
    )


def _copied_headers(headers: CIMultiDict[str], source: Version) -> str:
    """Those of the source but for its redirect, which is never copied ("CopyObject", Amazon S3 API Reference)."""
    kept = [(name, value) for name, value in metadata.headers_of(source.headers) if name != REDIRECT]
    if REDIRECT in headers:
        kept.append((REDIRECT, headers[REDIRECT]))
    return json.dumps(kept)
