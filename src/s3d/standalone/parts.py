"""UploadPart and UploadPartCopy."""

from __future__ import annotations

from collections.abc import Mapping

from multidict import CIMultiDict

from s3d.local.database import Connection, unchanging
from s3d.local.receive import NewBody, receive
from s3d.s3 import codec
from s3d.s3.checksums import Algorithm
from s3d.s3.errors import S3Error
from s3d.s3.message import Body, S3Response, body_length
from s3d.standalone import bucket as buckets
from s3d.standalone import checksums, copy_source, cors
from s3d.standalone import upload as uploads
from s3d.standalone.answers import moment
from s3d.standalone.checksums import Declared
from s3d.standalone.metadata import refuse_unsupported
from s3d.standalone.put import MAX_SIZE
from s3d.standalone.ranges import copy_range
from s3d.standalone.store import Call, Store, now
from s3d.standalone.stored_body import stored_body
from s3d.standalone.upload import Part, Upload


async def upload_part(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, NoSuchUpload, InvalidArgument (part number), EntityTooLarge, InvalidRequest (a checksum of
    another algorithm than the upload's), BadDigest, InvalidDigest, those of bodies."""
    number, upload = _begin(store, call)
    size = body_length(call.body)
    if size > MAX_SIZE:
        elements = {"ProposedSize": str(size), "MaxSizeAllowed": str(MAX_SIZE)}
        raise S3Error("EntityTooLarge", elements=elements)
    declared = checksums.of_body(call.request.headers, upload.kept)
    given = _given(declared, call.request.headers)
    _check_algorithm(upload, given)
    algorithms = {algorithm.name: algorithm for algorithm in (declared.algorithm, upload.kept)}
    async with await receive(store.bodies, call.body, list(algorithms.values())) as new:
        declared.check(new.digests, new.md5)
        part = await _keep(store, call, number, upload, new)
    answer = {"ETag": part.quoted_etag}
    if given is not None:
        answer[f"Checksum{given.name}"] = checksums.encode(new.digests[given.name])
    return codec.build_response("UploadPart", answer)


async def upload_part_copy(store: Store, call: Call) -> S3Response:
    """Errors: as `upload_part`, and those of the source: NoSuchBucket, NoSuchKey, NoSuchVersion, PreconditionFailed,
    InvalidArgument (its range), InvalidRequest (too large)."""
    _begin(store, call)
    source = copy_source.parse(call.members["CopySource"])
    cors.check_source(store, call.request, source.bucket)
    with unchanging(store.reader):
        origin, found = copy_source.find(store.reader, source, call.members)
        wanted = call.members.get("CopySourceRange")
        offset, length = (0, found.size) if wanted is None else copy_range(wanted, found.size)
        copy_source.check_size(length)
        content = stored_body(store, found, offset, length)
    async with content:
        return await keep_copied(store, call, content, copy_source.version_member(origin, found))


async def keep_copied(store: Store, call: Call, content: Body, version: Mapping[str, str]) -> S3Response:
    """The answer to UploadPartCopy of these bytes; ``version`` names that of the source. Errors: as `upload_part`."""
    number, upload = _begin(store, call)
    async with await receive(store.bodies, content, [upload.kept]) as new:
        part = await _keep(store, call, number, upload, new)
    result = {"ETag": part.quoted_etag, "LastModified": moment(part.modified)}
    if upload.algorithm is not None:
        result |= checksums.members_of_part(part.checksum)
    return codec.build_response("UploadPartCopy", {"CopyPartResult": result, **version})


def _begin(store: Store, call: Call) -> tuple[int, Upload]:
    """The part's number and its upload, before the body is taken."""
    refuse_unsupported(call.request.headers)
    number: int = call.members["PartNumber"]
    uploads.check_number(number)
    return number, uploads.find(store.reader, store.bucket(call.bucket), call.key, call.members["UploadId"])


def _given(declared: Declared, headers: CIMultiDict[str]) -> Algorithm | None:
    """The algorithm that the request itself names."""
    is_named = declared.checksum is not None or bool(headers.get("x-amz-sdk-checksum-algorithm"))
    return declared.algorithm if is_named else None


def _check_algorithm(upload: Upload, given: Algorithm | None) -> None:
    """A part has the checksum of the upload's algorithm or, where that of the whole object is wanted, may have none."""
    if upload.algorithm is None or (given is None and upload.checksum_type == "FULL_OBJECT"):
        return
    actual = "null" if given is None else given.name.lower()
    if actual != upload.algorithm.lower():
        message = (
            f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm.lower()}, "
            f"actual checksum Type: {actual}"
        )
        raise S3Error("InvalidRequest", message)


async def _keep(store: Store, call: Call, number: int, upload: Upload, new: NewBody) -> Part:
    """Makes the body the upload's part of that number, in the place of one that was there. Raises NoSuchUpload if the
    upload was completed or aborted meanwhile."""
    checksum = checksums.stored(upload.kept, new.digests[upload.kept.name])

    def change(connection: Connection, body: int | None) -> Part:
        bucket = buckets.find(connection, call.bucket)
        at = (uploads.find(connection, bucket, call.key, upload.upload_id).id, number)
        part = Part(number, body, new.size, new.md5.hex(), checksum, now())
        old = connection.execute("DELETE FROM part WHERE upload = ? AND number = ? RETURNING body", at).fetchall()
        for (replaced,) in old:
            store.bodies.release(connection, replaced)
        row = (*at, part.body, part.size, part.etag, part.checksum, part.modified)
        connection.execute(
            "INSERT INTO part (upload, number, body, size, etag, checksum, modified) VALUES (?, ?, ?, ?, ?, ?, ?)", row
        )
        return part

    return await new.change(change)
