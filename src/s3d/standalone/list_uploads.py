"""ListMultipartUploads: by key, and of one key as they were begun.

A page is a walk along the index from where the last one ended; behind a common prefix it goes on at the first key that
does not have it. So a page costs what is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from s3d.local.database import Connection, unchanging
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.s3.uri import quote_path
from s3d.standalone import upload as uploads
from s3d.standalone.answers import moment
from s3d.standalone.bucket import OWNER
from s3d.standalone.listing import Selection, behind
from s3d.standalone.store import Call, Members, Store
from s3d.standalone.upload import Upload
from s3d.standalone.version import key_bytes

_PAGE = 1000
_FIRST_ID, _LAST_ID = -1, (1 << 63) - 1

_OF_KEY = f"SELECT {uploads.COLUMNS} FROM upload WHERE bucket = ? AND key = ? AND id > ? ORDER BY id"
_OF_LATER_KEYS = f"SELECT {uploads.COLUMNS} FROM upload WHERE bucket = ? AND key > ? ORDER BY key, id"
# Not one query for what is behind (key, id): of such a pair SQLite takes only the first to search the index.


@dataclass(slots=True)
class _Page:
    uploads: list[Upload] = field(default_factory=list)
    prefixes: list[bytes] = field(default_factory=list)
    is_truncated: bool = False
    next_key: bytes = b""
    next_id: str = ""

    def __len__(self) -> int:
        return len(self.uploads) + len(self.prefixes)


async def list_multipart_uploads(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, InvalidArgument (upload-id-marker)."""
    members = call.members
    bucket = store.bucket(call.bucket)
    wanted = Selection(
        prefix=key_bytes(members.get("Prefix", "")),
        delimiter=key_bytes(members.get("Delimiter", "")),
        limit=min(members.get("MaxUploads", _PAGE), _PAGE),
        encode=quote_path if members.get("EncodingType") else str,
    )
    with unchanging(store.reader):
        page = _page(store.reader, bucket.id, wanted, _start(members, wanted))
    answer: Members = {
        "Bucket": bucket.name,
        "KeyMarker": wanted.encode(members.get("KeyMarker", "")),
        "UploadIdMarker": members.get("UploadIdMarker", ""),
        "NextKeyMarker": wanted.written(page.next_key) if page.is_truncated else None,
        "NextUploadIdMarker": page.next_id if page.is_truncated else None,
        "Prefix": wanted.written(wanted.prefix),
        "Delimiter": wanted.written(wanted.delimiter) if wanted.delimiter else None,
        "MaxUploads": wanted.limit,
        "EncodingType": members.get("EncodingType"),
        "IsTruncated": page.is_truncated,
        "Uploads": [_entry(found, wanted) for found in page.uploads],
        "CommonPrefixes": [{"Prefix": wanted.written(group)} for group in page.prefixes],
    }
    return codec.build_response("ListMultipartUploads", answer)


def _start(members: dict[str, Any], wanted: Selection) -> tuple[bytes, int]:
    """Key and id behind which the page begins. The markers of a page that ended with a common prefix are that prefix. An
    upload-id-marker without a key-marker does not count."""
    marker, id_marker = key_bytes(members.get("KeyMarker", "")), members.get("UploadIdMarker", "")
    if not marker or marker < wanted.prefix:
        return wanted.prefix, _FIRST_ID
    if wanted.group(marker) == marker:
        return behind(marker), _FIRST_ID
    if not id_marker:
        return marker, _LAST_ID
    number = uploads.id_of(id_marker)
    if number is None:
        elements = {"ArgumentName": "upload-id-marker", "ArgumentValue": id_marker}
        raise S3Error("InvalidArgument", "Invalid uploadId marker", elements=elements)
    return marker, number


def _page(connection: Connection, bucket: int, wanted: Selection, start: tuple[bytes, int]) -> _Page:
    page = _Page()
    if not wanted.limit:  # nothing is left out, says S3
        return page
    for upload, group in _walk(connection, bucket, wanted, start):
        if len(page) == wanted.limit:
            page.is_truncated = True
            break
        if group is None:
            page.uploads.append(upload)
            page.next_key, page.next_id = upload.key, upload.upload_id
        else:
            page.prefixes.append(group)
            page.next_key, page.next_id = group, ""
    return page


def _walk(
    connection: Connection, bucket: int, wanted: Selection, start: tuple[bytes, int]
) -> Iterator[tuple[Upload, bytes | None]]:
    """Uploads, and of those with a common prefix the first, with it."""
    position: tuple[bytes, int] | None = start
    while position is not None:
        found, position = _uploads_behind(connection, bucket, *position), None
        for upload in found:
            if not upload.key.startswith(wanted.prefix):
                return
            group = wanted.group(upload.key)
            yield upload, group
            if group is not None:
                position = (behind(group), _FIRST_ID)
                break


def _uploads_behind(connection: Connection, bucket: int, key: bytes, number: int) -> Iterator[Upload]:
    for row in connection.execute(_OF_KEY, (bucket, key, number)):
        yield Upload(*row)
    for row in connection.execute(_OF_LATER_KEYS, (bucket, key)):
        yield Upload(*row)


def _entry(upload: Upload, wanted: Selection) -> Members:
    return {
        "UploadId": upload.upload_id,
        "Key": wanted.written(upload.key),
        "Initiated": moment(upload.initiated),
        "StorageClass": upload.storage_class or "STANDARD",
        "Owner": OWNER,
        "Initiator": OWNER,
        **upload.members,
    }
