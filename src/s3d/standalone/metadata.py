"""What a request says about an object beside its bytes: what of it is kept, and what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from multidict import CIMultiDict

from s3d.s3.errors import S3Error
from s3d.standalone import acl, tags
from s3d.standalone.store import Call, now
from s3d.standalone.version import Version

_USER = "x-amz-meta-"
OVERRIDABLE = (
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Type",
    "Expires",
)
"""System metadata for which a read may name another value (``response-*``)."""
REDIRECT = "x-amz-website-redirect-location"
_SYSTEM = {name.lower(): name for name in (*OVERRIDABLE, REDIRECT)}
_DEFAULT_TYPE = "binary/octet-stream"
_USER_LIMIT = 2048  # bytes of names and values: "Working with object metadata", Amazon S3 User Guide
_STORAGE_CLASSES = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    }
)
_REFUSED = (
    "x-amz-server-side-encryption",
    "x-amz-copy-source-server-side-encryption",
    "x-amz-object-lock-",
    "x-amz-write-offset-bytes",
)


@dataclass(frozen=True, slots=True)
class Metadata:
    """The columns of a version that come from the headers of a request, as they are stored."""

    headers: str
    tags: str | None
    storage_class: str | None
    acl: str | None

    def version(
        self,
        bucket: int,
        key: bytes,
        *,
        size: int,
        etag: str,
        checksum: str,
        body: int | None,
        upload: int | None = None,
    ) -> Version:
        """A version of now with these bytes; `s3d.standalone.history.put` gives it its place among the others."""
        return Version(
            bucket=bucket,
            key=key,
            seq=0,
            version=None,
            modified=now(),
            size=size,
            etag=etag,
            body=body,
            upload=upload,
            headers=self.headers,
            tags=self.tags,
            storage_class=self.storage_class,
            checksum=checksum,
            acl=self.acl,
        )


def of_request(call: Call) -> Metadata:
    """What PutObject, CreateMultipartUpload and a replacing CopyObject keep.

    Raises MetadataTooLarge, InvalidTag, InvalidStorageClass, InvalidArgument, NotImplemented.
    """
    headers = call.request.headers
    refuse_unsupported(headers)
    return Metadata(
        headers=stored_headers(headers),
        tags=tags.of_header(headers.get("x-amz-tagging")),
        storage_class=storage_class(headers),
        acl=acl.of_headers(headers),
    )


def refuse_unsupported(headers: CIMultiDict[str]) -> None:
    """Raises NotImplemented for what would be a pretence here (encryption, object lock), and for appending, which without
    being understood would replace the object."""
    for name in headers:
        if name.lower().startswith(_REFUSED):
            raise S3Error("NotImplemented", elements={"Header": name})


def stored_headers(headers: CIMultiDict[str]) -> str:
    """System and user metadata as the column holds it. Raises MetadataTooLarge."""
    kept: dict[str, str] = {}
    size = 0
    for name, value in headers.items():
        lower = name.lower()
        if lower.startswith(_USER):
            kept[lower] = f"{kept[lower]},{value}" if lower in kept else value
            size += len(lower) - len(_USER) + len(value.encode("utf-8", "surrogateescape"))
        elif lower in _SYSTEM:
            written = _SYSTEM[lower]
            kept[written] = f"{kept[written]},{value}" if written in kept else value
    if size > _USER_LIMIT:
        elements = {"Size": str(size), "MaxSizeAllowed": str(_USER_LIMIT)}
        raise S3Error("MetadataTooLarge", elements=elements)
    if not kept.get("Content-Type"):
        kept["Content-Type"] = _DEFAULT_TYPE
    return _encoded(tuple(kept.items()))


@lru_cache(256)  # most objects of an application have the same
def _encoded(fields: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(fields)


def storage_class(headers: CIMultiDict[str]) -> str | None:
    """As it is stored: None for STANDARD. Raises InvalidStorageClass."""
    wanted = headers.get("x-amz-storage-class")
    if wanted in (None, "", "STANDARD"):
        return None
    if wanted not in _STORAGE_CLASSES:
        raise S3Error("InvalidStorageClass", elements={"StorageClassRequested": wanted or ""})
    return wanted


@lru_cache(256)  # most objects of an application have the same
def headers_of(stored: str) -> tuple[tuple[str, str], ...]:
    """Names and values as they go out."""
    return tuple((name, value) for name, value in json.loads(stored))
