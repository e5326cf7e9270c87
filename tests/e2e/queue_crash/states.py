"""What there is to see: at the remote, and through a queue. Without what differs from run to run (ids, times)."""

from __future__ import annotations

import hashlib
from typing import Any

from conformance.calling import Refused, answer, call
from model.store import Object, Store

from s3d.s3 import codec
from s3d.s3.backend import Backend

BUCKETS = ("plain", "versioned", "unknown")
"""Without versions, with them, and with them where the queue does not know it."""

_SEEN = ("content-type", "cache-control", "x-amz-storage-class", "x-amz-checksum-type", "content-length", "etag")
_SEEN_BEGIN = ("x-amz-meta-", "x-amz-checksum-")


def stored(store: Store) -> dict[str, Any]:
    """All versions that a remote has, oldest first."""
    found: dict[str, Any] = {}
    for bucket in store.buckets.values():
        for key in sorted({*bucket.objects, *bucket.older}):
            found[f"{bucket.name}/{key}"] = [_version(version) for version in reversed(bucket.versions(key))]
    return found


def _version(version: Object) -> Any:
    if version.is_marker:
        return "delete marker"
    digest = hashlib.md5(version.data).hexdigest()
    headers = sorted([name.lower(), value] for name, value in version.headers.items())
    tags, sums = sorted(version.tags.items()), sorted(version.checksums.items())
    parts = [len(part.data) for part in version.parts.values()]
    return [
        version.etag,
        digest,
        headers,
        [list(t) for t in tags],
        version.storage_class,
        [list(s) for s in sums],
        parts,
    ]


async def seen(backend: Backend, keys: list[str]) -> dict[str, Any]:
    """What a client sees of these (``BUCKET/KEY``), in lists, and of uploads."""
    found: dict[str, Any] = {}
    for name in keys:
        bucket, _, key = name.partition("/")
        found[name] = await _object(backend, {"Bucket": bucket, "Key": key})
    for bucket in BUCKETS:
        listed = await call(backend, "ListObjectsV2", {"Bucket": bucket})
        found[f"list of {bucket}"] = [[o["Key"], o["ETag"], o["Size"]] for o in listed.get("Contents") or []]
        found[f"uploads of {bucket}"] = await _uploads(backend, bucket)
    return found


async def _object(backend: Backend, at: dict[str, str]) -> Any:
    request = codec.build_request("GetObject", {**at, "ChecksumMode": "ENABLED"})
    try:
        response, members = await answer(backend, request)
        tags = (await call(backend, "GetObjectTagging", at)).get("TagSet") or []
    except Refused as error:
        return error.code
    fields = ([name.lower(), value] for name, value in response.headers.items())
    headers = sorted(field for field in fields if field[0] in _SEEN or field[0].startswith(_SEEN_BEGIN))
    return [hashlib.md5(members["Body"]).hexdigest(), headers, sorted([tag["Key"], tag["Value"]] for tag in tags)]


async def _uploads(backend: Backend, bucket: str) -> list[Any]:
    found = []
    listed = await call(backend, "ListMultipartUploads", {"Bucket": bucket})
    for upload in listed.get("Uploads") or []:
        at = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
        parts = (await call(backend, "ListParts", at)).get("Parts") or []
        found.append([upload["Key"], [[part["PartNumber"], part["ETag"]] for part in parts]])
    return found
