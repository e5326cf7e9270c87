"""ListMultipartUploads of the remote's uploads and of those that were begun here.

Of one key the remote's come first, then those here as they were begun; so a marker that names one of either says which of
the others are still to come.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.message import S3Request, S3Response
from s3d.s3.uri import quote_path
from s3d.s3.whole import read_whole
from s3d.standalone import upload as uploads
from s3d.standalone.answers import moment
from s3d.standalone.bucket import OWNER
from s3d.standalone.listing import Selection, behind
from s3d.standalone.store import Store
from s3d.standalone.version import key_bytes, key_text
from s3d.write_queue.answers import STATE
from s3d.write_queue.list_objects import Refused, decoded

_PAGE = 1000

Own = Callable[[], Awaitable[set[str]]]
"""UploadIds of the remote with which the queue pushes what it took in."""

_LOCAL = """
SELECT key, upload_id, initiated, storage_class, algorithm, checksum_type FROM upload
WHERE bucket = (SELECT id FROM bucket WHERE name = ?) AND key >= ? AND key < ? ORDER BY key, id
"""


@dataclass(frozen=True, slots=True)
class _Upload:
    """An upload, or a common prefix (``members`` None)."""

    name: bytes
    members: dict[str, Any] | None


@dataclass(slots=True)
class _Page:
    entries: list[_Upload] = field(default_factory=list)
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a page begins: behind the key ``marker`` and all of its uploads, or behind its upload ``upload_id``."""

    marker: bytes
    upload_id: str
    is_local: bool
    """The upload was begun here: of this key all of the remote's were listed."""


async def list_multipart_uploads(
    request: S3Request, members: dict[str, Any], inner: Backend, store: Store, own: Own
) -> S3Response:
    """The merged list, or the remote's error. ``own`` are uploads of the remote that do not count. Raises
    RemoteUnreachable."""
    wanted = Selection(
        prefix=key_bytes(members.get("Prefix", "")),
        delimiter=key_bytes(members.get("Delimiter", "")),
        limit=min(members.get("MaxUploads", _PAGE), _PAGE),
        encode=quote_path if members.get("EncodingType") else str,
    )
    upload_id = str(members.get("UploadIdMarker") or "")
    marker = key_bytes(members.get("KeyMarker") or "")
    start = _Start(marker, upload_id, uploads.id_of(upload_id) is not None)
    remote = _remote(request, inner, wanted, start, own)
    try:
        page = await _merge(wanted, remote, _local(store, request.bucket or "", wanted, start))
    except Refused as refused:
        return refused.response
    finally:
        await remote.aclose()
    return _answer(request, members, wanted, page)


async def _merge(wanted: Selection, remote: AsyncGenerator[_Upload, None], local: Iterator[_Upload]) -> _Page:
    page = _Page()
    theirs, ours = await anext(remote, None), next(local, None)
    while theirs is not None or ours is not None:
        take_theirs = ours is None or (theirs is not None and theirs.name <= ours.name)
        entry = theirs if take_theirs else ours
        assert entry is not None  # noqa: S101  one of them is there
        is_known = entry.members is None and page.entries and page.entries[-1] == entry
        if not is_known:
            if len(page.entries) >= wanted.limit:
                page.truncated = wanted.limit > 0
                break
            page.entries.append(entry)
        if take_theirs:
            theirs = await anext(remote, None)
        else:
            ours = next(local, None)
    return page


def _local(store: Store, bucket: str, wanted: Selection, start: _Start) -> Iterator[_Upload]:
    """Those that were begun here, in order."""
    first = start.marker if start.upload_id else wanted.behind(start.marker)
    rows = store.reader.execute(_LOCAL, (bucket, max(first, wanted.prefix), behind(wanted.prefix)))
    for key, upload_id, initiated, storage_class, algorithm, checksum_type in rows.fetchall():
        group = wanted.group(key)
        if group is not None:
            if group > start.marker:
                yield _Upload(group, None)
            continue
        if key == start.marker and start.is_local and upload_id <= start.upload_id:
            continue
        members = {
            "UploadId": upload_id,
            "Key": wanted.written(key),
            "Initiated": moment(initiated),
            "StorageClass": storage_class or "STANDARD",
            "Owner": OWNER,
            "Initiator": OWNER,
        }
        if algorithm is not None:
            members |= {"ChecksumAlgorithm": algorithm, "ChecksumType": checksum_type}
        yield _Upload(key, members)


async def _remote(
    request: S3Request, inner: Backend, wanted: Selection, start: _Start, own: Own
) -> AsyncGenerator[_Upload, None]:
    """Those of the remote, in its order. Raises Refused, RemoteUnreachable."""
    key_marker, id_marker = key_text(start.marker), "" if start.is_local else start.upload_id
    while True:
        asked: dict[str, Any] = {
            "Bucket": request.bucket,
            "Prefix": key_text(wanted.prefix) or None,
            "Delimiter": key_text(wanted.delimiter) or None,
            "MaxUploads": max(1, wanted.limit),
            "EncodingType": "url",
            "KeyMarker": key_marker or None,
            "UploadIdMarker": id_marker or None,
        }
        hidden = await own()  # those that are completed while the remote answers
        page = await _ask(request, inner, asked)
        decode = decoded if page.get("EncodingType") == "url" else key_bytes
        found = [_Upload(decode(entry["Key"]), entry) for entry in page.get("Uploads") or []]
        found += [_Upload(decode(entry["Prefix"]), None) for entry in page.get("CommonPrefixes") or []]
        found.sort(key=_name)  # stable: of one key as the remote has them
        hidden |= await own()  # and those that were begun
        for entry in found:
            if entry.members is None:
                if hidden and not await _has_others(request, inner, entry.name, hidden):
                    continue
            else:
                if entry.members.get("UploadId") in hidden:
                    continue
                entry.members["Key"] = wanted.encode(key_text(entry.name))
            yield entry
        key_marker = key_text(decode(page.get("NextKeyMarker") or ""))
        id_marker = page.get("NextUploadIdMarker") or ""
        if not page.get("IsTruncated") or not key_marker:
            return


async def _has_others(request: S3Request, inner: Backend, prefix: bytes, hidden: set[str]) -> bool:
    """Whether the remote has an upload below a prefix that is not hidden. Raises Refused, RemoteUnreachable."""
    asked = {"Bucket": request.bucket, "Prefix": key_text(prefix), "EncodingType": "url"}
    page = await _ask(request, inner, asked | {"MaxUploads": min(len(hidden) + 1, _PAGE)})
    return bool(page.get("IsTruncated")) or any(e.get("UploadId") not in hidden for e in page.get("Uploads") or [])


async def _ask(request: S3Request, inner: Backend, members: dict[str, Any]) -> dict[str, Any]:
    """A page of the remote. Raises Refused, RemoteUnreachable."""
    asked = codec.build_request("ListMultipartUploads", members)
    asked.request_id = request.request_id
    for name, value in request.headers.items():  # the payer, the expected owner
        if name.lower().startswith("x-amz-"):
            asked.headers[name] = value
    response = await read_whole(await inner(asked))
    if response.status != 200:
        raise Refused(response)
    assert isinstance(response.body, bytes)  # noqa: S101  so says `read_whole`
    page: dict[str, Any] = codec.parse_response("ListMultipartUploads", response, response.body)
    return page


def _answer(request: S3Request, members: dict[str, Any], wanted: Selection, page: _Page) -> S3Response:
    answer: dict[str, Any] = {
        "Bucket": request.bucket,
        "KeyMarker": wanted.encode(members.get("KeyMarker", "")),
        "UploadIdMarker": members.get("UploadIdMarker", ""),
        "Prefix": wanted.encode(key_text(wanted.prefix)),
        "Delimiter": wanted.encode(key_text(wanted.delimiter)) if wanted.delimiter else None,
        "MaxUploads": wanted.limit,
        "EncodingType": members.get("EncodingType"),
        "IsTruncated": page.truncated,
        "Uploads": [entry.members for entry in page.entries if entry.members is not None],
        "CommonPrefixes": [
            {"Prefix": wanted.encode(key_text(entry.name))} for entry in page.entries if entry.members is None
        ],
    }
    if page.truncated:
        last = page.entries[-1]
        answer["NextKeyMarker"] = wanted.encode(key_text(last.name))
        answer["NextUploadIdMarker"] = last.members["UploadId"] if last.members is not None else ""
    response = codec.build_response("ListMultipartUploads", answer)
    response.headers[STATE] = "remote"
    response.headers["x-amz-request-id"] = request.request_id
    response.headers["Server"] = "s3d"
    return response


def _name(entry: _Upload) -> bytes:
    return entry.name
