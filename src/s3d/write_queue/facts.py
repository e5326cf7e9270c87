"""What filters can know of an object that is in the queue, or on its way there."""

from __future__ import annotations

import json
from collections.abc import Iterable

from s3d.filters.facts import Facts, Tags, facts_of
from s3d.s3.message import S3Request
from s3d.standalone import metadata
from s3d.standalone import tags as tag_sets
from s3d.standalone.metadata import headers_of
from s3d.standalone.upload import Upload
from s3d.standalone.version import Version, key_text

_CLASS = "x-amz-storage-class"


def of_version(bucket: str, version: Version, of_bucket: Tags | None) -> Facts:
    """Of an object that is stored."""
    rest = version.headers, version.storage_class, version.tags
    return _facts(bucket, version.key, version.size, *rest, of_bucket)


def of_upload(bucket: str, upload: Upload, size: int, of_bucket: Tags | None) -> Facts:
    """Of what an upload becomes."""
    return _facts(bucket, upload.key, size, upload.headers, upload.storage_class, upload.tags, of_bucket)


def of_request(request: S3Request, key: bytes, size: int | None, of_bucket: Tags | None) -> Facts:
    """Of what PutObject or CreateMultipartUpload makes. Raises MetadataTooLarge, InvalidTag, InvalidStorageClass."""
    headers = request.headers
    tags = tag_sets.of_header(headers.get("x-amz-tagging"))
    rest = metadata.stored_headers(headers), metadata.storage_class(headers), tags
    return _facts(request.bucket or "", key, size, *rest, of_bucket)


def of_copy(request: S3Request, key: bytes, source: Version, of_bucket: Tags | None) -> Facts:
    """Of what CopyObject makes of an object that is here. Raises what `of_request` does."""
    headers = request.headers
    replaces = headers.get("x-amz-metadata-directive") == "REPLACE"
    kept = metadata.stored_headers(headers) if replaces else source.headers
    retags = headers.get("x-amz-tagging-directive") == "REPLACE"
    tags = tag_sets.of_header(headers.get("x-amz-tagging")) if retags else source.tags
    return _facts(request.bucket or "", key, source.size, kept, metadata.storage_class(headers), tags, of_bucket)


def tags_of_copy(request: S3Request) -> Tags | None:
    """Those that a CopyObject gives itself; None: those of its source. Raises InvalidTag."""
    if request.headers.get("x-amz-tagging-directive") != "REPLACE":
        return None
    tags = tag_sets.of_header(request.headers.get("x-amz-tagging"))
    return json.loads(tags) if tags else {}


def of_remote_copy(
    request: S3Request,
    key: bytes,
    source: Iterable[tuple[str, str]],
    size: int | None,
    tags: Tags | None,
    of_bucket: Tags | None,
) -> Facts:
    """Of what CopyObject makes of an object at the remote, which has the headers ``source``. Raises MetadataTooLarge,
    InvalidStorageClass."""
    headers = request.headers
    replaces = headers.get("x-amz-metadata-directive") == "REPLACE"
    kept = headers_of(metadata.stored_headers(headers)) if replaces else source
    own = [(name, value) for name, value in kept if name.lower() != _CLASS]
    storage_class = metadata.storage_class(headers)
    if storage_class is not None:
        own.append((_CLASS, storage_class))
    return facts_of(request.bucket or "", key_text(key), size, own, tags, of_bucket)


def _facts(
    bucket: str,
    key: bytes,
    size: int | None,
    kept: str,
    storage_class: str | None,
    tags: str | None,
    of_bucket: Tags | None,
) -> Facts:
    headers = list(headers_of(kept))
    if storage_class is not None:
        headers.append((_CLASS, storage_class))
    return facts_of(bucket, key_text(key), size, headers, json.loads(tags) if tags else {}, of_bucket)
