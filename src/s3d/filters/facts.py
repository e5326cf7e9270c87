"""What a filter can know of an object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_USER = "x-amz-meta-"
_CLASS = "x-amz-storage-class"

Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """One object, there or on its way. Names of headers and metadata are in lower case."""

    bucket: str
    key: str
    size: int | None = 0
    """Bytes of the object: of all parts, without the framing of aws-chunked; None: not known."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those that are kept with the object, such as ``content-type`` and ``cache-control``."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Of the user; names without ``x-amz-meta-``."""
    tags: Tags | None = field(default_factory=dict)
    """Of the object; None: not known."""
    bucket_tags: Tags | None = field(default_factory=dict)
    """Of the bucket; None: not known."""


def facts_of(
    bucket: str,
    key: str,
    size: int | None,
    headers: Iterable[tuple[str, str]],
    tags: Tags | None,
    of_bucket: Tags | None,
) -> Facts:
    """Of an object with these headers, as they are stored or go over the wire."""
    system = {_CLASS: "STANDARD"}
    user: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower.startswith(_USER):
            user[lower.removeprefix(_USER)] = value
        else:
            system[lower] = value
    return Facts(bucket, key, size, system, user, tags, of_bucket)
