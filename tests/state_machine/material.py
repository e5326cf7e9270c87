"""What requests are made of: keys, bodies, conditions, ranges, tags."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from model.checksums import checksum

Members = dict[str, Any]

PLAIN_KEYS = ("a.txt", "dir/a", "dir/b", "dir/sub/c", "sp ace", "a+b", "\u00fc", "z")
ODD_KEYS = (
    "a",
    "a/",
    "a/b",
    "a//b",
    "a/./b",
    "/",
    "/a",
    "..",
    "../x",
    " a ",
    "a%2Fb",
    "a?b#c&<d>",
    "u\u0308",
    "\U0001f600",
    "\uffee",
    "a\tb\nc\r",
    "\x01\x7f",
    "\udcff",
    "a/\udcfe",
    "x" * 1024,
    "\u00e9" * 512,
)
TOO_LONG = "x" * 1025


class Large(bytes):
    """Says in short what it is: strategies are written out for reports, whenever something is drawn."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes: {bytes(self[:10])!r}...>"


PART = Large(bytes(range(256)) * (5 << 12))  # 5 MiB, the least of a part that is not the last
BODIES = (b"", b"x", b"0123456789", Large(b"0123456789" * 7_000), Large(b"9876543210" * 40_000))
PART_BODIES = (b"", b"part", Large(b"0123456789" * 7_000), PART)
PREFIXES = ("", "a", "a/", "d", "dir/", "/", "x", "\u00fc", "none")
DELIMITERS = ("", "/", "//", "b", "dir")
PAGE_SIZES = (None, 0, 1, 2, 3, 1000, 2000)
AGO, AHEAD = datetime(2001, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
OTHER = '"00000000000000000000000000000000"'
NO_VERSION = "this-is-no-version-id"


def etag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


ETAGS = (OTHER, "*", *(etag(body) for body in BODIES))
RANGES = ("bytes=0-0", "bytes=2-5", "bytes=5-", "bytes=-3", "bytes=-0", "bytes=10-", "bytes=5-2", "bytes=0-1,3-4", "x")


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly nothing: what is asked for seldom is seldom together with something else."""
    return st.one_of(st.none(), st.none(), st.none(), strategy)


def members(**choices: st.SearchStrategy[Any]) -> st.SearchStrategy[Members]:
    """Any of these members, or none."""
    drawn = st.fixed_dictionaries({name: optional(choice) for name, choice in choices.items()})
    return drawn.map(lambda found: {name: value for name, value in found.items() if value is not None})


_etags, _times = st.sampled_from(ETAGS), st.sampled_from((AGO, AHEAD))
_WRONG_TAGS = ({"TagSet": [{"Key": "a", "Value": "x & y"}]},)
_LONG_METADATA = {"a": "x" * 2100}
WRONG: tuple[Any, ...] = ("t=1&t=2", "=1", _LONG_METADATA, 0, 2000, *_WRONG_TAGS)
"""Values that S3 refuses, or takes otherwise than most servers do."""
_tagging = st.sampled_from(("", "t=1", "t=1&u=%20x", *WRONG[:2]))

WRITTEN = members(
    CacheControl=st.just("no-store"),
    ContentType=st.just("text/plain"),
    Metadata=st.sampled_from(({"a": "1"}, {"b": "x y", "c": ""}, _LONG_METADATA)),
    StorageClass=st.just("STANDARD_IA"),
    Tagging=_tagging,
)
WRITE_CONDITIONS = members(IfMatch=_etags, IfNoneMatch=st.sampled_from(("*", "*", OTHER)))
READ = members(
    ChecksumMode=st.just("ENABLED"),
    IfMatch=_etags,
    IfModifiedSince=_times,
    IfNoneMatch=_etags,
    IfUnmodifiedSince=_times,
    PartNumber=st.sampled_from((1, 2, 3)),
    Range=st.sampled_from(RANGES),
    ResponseContentType=st.just("text/csv"),
)
DELETE = members(IfMatch=_etags, IfMatchSize=st.sampled_from((0, 1, 10)), IfMatchLastModifiedTime=st.just(AGO))
COPY = members(
    CacheControl=st.just("max-age=1"),
    ChecksumAlgorithm=st.sampled_from(("CRC32", "SHA256")),
    CopySourceIfMatch=_etags,
    CopySourceIfModifiedSince=_times,
    CopySourceIfNoneMatch=_etags,
    CopySourceIfUnmodifiedSince=_times,
    IfNoneMatch=st.just("*"),
    IfMatch=_etags,
    Metadata=st.just({"copied": "1"}),
    MetadataDirective=st.sampled_from(("COPY", "REPLACE", "REPLACE")),
    StorageClass=st.just("STANDARD_IA"),
    Tagging=_tagging,
    TaggingDirective=st.sampled_from(("COPY", "REPLACE")),
)
ATTRIBUTES = st.lists(
    st.sampled_from(("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")), min_size=1, unique=True
)
ALGORITHMS = (None, "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
TAGGINGS = st.sampled_from(
    (
        {"TagSet": []},
        {"TagSet": [{"Key": "t", "Value": "2"}]},
        {"TagSet": [{"Key": "a", "Value": ""}, {"Key": "\u00fc b", "Value": "x+y @/:"}]},
        *_WRONG_TAGS,
    )
)


def declared(algorithm: str | None, body: bytes, *, right: bool = True) -> Members:
    """The checksum that a request declares for its body."""
    return {f"Checksum{algorithm}": checksum(algorithm, body if right else body + b"!")} if algorithm else {}


def in_xml(key: str) -> bool:
    """Whether XML 1.0 can hold the key; others are asked for with ``encoding-type=url`` only."""
    return not any((ord(sign) < 32 and sign not in "\t\n\r") or 0xD800 <= ord(sign) < 0xE000 for sign in key)
