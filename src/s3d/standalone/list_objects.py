"""ListObjects and ListObjectsV2."""

from __future__ import annotations

import base64
import binascii
import zlib

from s3d.local.database import unchanging
from s3d.s3 import codec
from s3d.s3.codec import list_entries
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.standalone.bucket import OWNER
from s3d.standalone.listing import Page, Rows, Selection, kind, read, selection
from s3d.standalone.store import Call, Members, Store
from s3d.standalone.version import key_bytes

_QUERY = (
    "SELECT key, modified, size, etag, storage_class, checksum FROM object "
    "WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
)
_OWNER = list_entries.owner_element(OWNER)
_SUM = 4  # bytes of a token that say that it is one


async def list_objects(store: Store, call: Call) -> S3Response:
    """Version 1. Errors: NoSuchBucket."""
    wanted, marker = selection(call.members), key_bytes(call.members.get("Marker", ""))
    page = _read(store, call.bucket, wanted, marker)
    answer: Members = {"Name": call.bucket, "Prefix": wanted.written(wanted.prefix), "Marker": wanted.written(marker)}
    if page.truncated and wanted.delimiter:  # else the last key is the next marker
        answer["NextMarker"] = wanted.written(page.marker)
    answer |= _asked(call, wanted, page)
    return codec.build_response("ListObjects", answer, elements=_elements(wanted, page, _OWNER))


async def list_objects_v2(store: Store, call: Call) -> S3Response:
    """Version 2. Errors: NoSuchBucket, InvalidArgument (a token that was not made here)."""
    wanted, members = selection(call.members), call.members
    start, token = members.get("StartAfter"), members.get("ContinuationToken")
    marker = key_bytes(start or "") if token is None else _from_token(token)
    page = _read(store, call.bucket, wanted, marker)
    answer: Members = {
        "Name": call.bucket,
        "Prefix": wanted.written(wanted.prefix),
        "StartAfter": None if start is None else wanted.encode(start),
        "ContinuationToken": token,
        "NextContinuationToken": _token(page.marker) if page.truncated else None,
        "KeyCount": len(page.rows) + len(page.groups),
        **_asked(call, wanted, page),
    }
    owner = _OWNER if members.get("FetchOwner") else ""
    return codec.build_response("ListObjectsV2", answer, elements=_elements(wanted, page, owner))


def _read(store: Store, bucket_name: str, wanted: Selection, marker: bytes) -> Page:
    with unchanging(store.reader):
        bucket = store.bucket(bucket_name)

        def select(start: bytes, end: bytes, limit: int) -> Rows:
            return store.reader.execute(_QUERY, (bucket.id, start, end, limit))

        return read(select, wanted, wanted.behind(marker))


def _asked(call: Call, wanted: Selection, page: Page) -> Members:
    """The rest of the answer's head, in S3's order."""
    return {
        "MaxKeys": wanted.limit,
        "Delimiter": wanted.written(wanted.delimiter) if wanted.delimiter else None,  # an empty one is not said again
        "EncodingType": call.members.get("EncodingType"),
        "IsTruncated": page.truncated,
    }


def _elements(wanted: Selection, page: Page, owner: str) -> list[str]:
    elements = [
        list_entries.contents(
            wanted.written(key), modified, etag, size, storage_class or "STANDARD", kind(checksum), owner
        )
        for key, modified, size, etag, storage_class, checksum in page.rows
    ]
    elements += [list_entries.common_prefix(wanted.written(group)) for group in page.groups]
    return elements


def _token(marker: bytes) -> str:
    """A position in the order of keys, not in a list of them: it stays good when keys come and go."""
    return base64.urlsafe_b64encode(zlib.crc32(marker).to_bytes(_SUM, "big") + marker).decode()


def _from_token(text: str) -> bytes:
    """Raises InvalidArgument for what `_token` did not give."""
    try:
        raw = base64.b64decode(text, b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    marker = raw[_SUM:]
    if not marker or _token(marker) != text:
        elements = {"ArgumentName": "continuation-token", "ArgumentValue": text}
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect", elements=elements)
    return marker
