from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from s3d.s3.errors import S3Error
from s3d.standalone.conditions import check_copy_source, check_delete, check_read, check_write, names
from s3d.standalone.version import Version

MODIFIED = 1_700_000_000
FOUND = Version(1, b"k", 1, None, MODIFIED, 3, "abc", 1, None, "[]")


def at(more: int) -> datetime:
    return datetime.fromtimestamp(MODIFIED + more, UTC)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('"abc"', True),
        ("abc", True),
        ("*", True),
        (' "abc" ', True),
        ('"x", "abc"', True),
        ('W/"abc"', True),
        ('"x"', False),
        ("", False),
        ('"abc-1"', False),
    ],
)
def test_names(condition: str, expected: bool) -> None:
    assert names(condition, "abc") is expected


READS: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({}, None, None),
    ({"IfMatch": '"abc"'}, None, None),
    ({"IfMatch": '"x"'}, "PreconditionFailed", "If-Match"),
    ({"IfNoneMatch": '"x"'}, None, None),
    ({"IfNoneMatch": '"abc"'}, "NotModified", "If-None-Match"),
    ({"IfNoneMatch": "*"}, "NotModified", "If-None-Match"),
    ({"IfModifiedSince": at(-1)}, None, None),
    ({"IfModifiedSince": at(0)}, "NotModified", "If-Modified-Since"),
    ({"IfUnmodifiedSince": at(0)}, None, None),
    ({"IfUnmodifiedSince": at(-1)}, "PreconditionFailed", "If-Unmodified-Since"),
    ({"IfMatch": '"abc"', "IfUnmodifiedSince": at(-1)}, None, None),
    ({"IfMatch": '"x"', "IfUnmodifiedSince": at(0)}, "PreconditionFailed", "If-Match"),
    ({"IfNoneMatch": '"x"', "IfModifiedSince": at(0)}, None, None),
    ({"IfNoneMatch": '"abc"', "IfModifiedSince": at(-1)}, "NotModified", "If-None-Match"),
    ({"IfMatch": '"abc"', "IfNoneMatch": '"abc"'}, "NotModified", "If-None-Match"),
]


@pytest.mark.parametrize(("members", "code", "header"), READS)
def test_reads(members: dict[str, Any], code: str | None, header: str | None) -> None:
    if code is None:
        return check_read(members, FOUND)
    with pytest.raises(S3Error, match=code) as raised:
        check_read(members, FOUND)
    if code == "PreconditionFailed":
        assert raised.value.elements == {"Condition": header}
    else:
        assert raised.value.headers == {"ETag": '"abc"', "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT"}
    return None


@pytest.mark.parametrize(("members", "code", "header"), READS)
def test_sources_of_copies(members: dict[str, Any], code: str | None, header: str | None) -> None:
    renamed = {f"CopySource{name}": value for name, value in members.items()}
    if code is None:
        return check_copy_source(renamed, FOUND)
    with pytest.raises(S3Error, match="PreconditionFailed") as raised:
        check_copy_source(renamed, FOUND)
    assert raised.value.elements == {"Condition": f"x-amz-copy-source-{header}"}
    return None


@pytest.mark.parametrize(
    ("members", "current", "code"),
    [
        ({}, None, None),
        ({}, FOUND, None),
        ({"IfNoneMatch": "*"}, None, None),
        ({"IfNoneMatch": "*"}, FOUND, "PreconditionFailed"),
        ({"IfNoneMatch": '"abc"'}, FOUND, "NotImplemented"),
        ({"IfMatch": '"abc"'}, FOUND, None),
        ({"IfMatch": "*"}, FOUND, None),
        ({"IfMatch": '"x"'}, FOUND, "PreconditionFailed"),
        ({"IfMatch": '"x"'}, None, "NoSuchKey"),
    ],
)
def test_writes(members: dict[str, Any], current: Version | None, code: str | None) -> None:
    if code is None:
        return check_write(members, b"k", current)
    with pytest.raises(S3Error, match=code):
        check_write(members, b"k", current)
    return None


@pytest.mark.parametrize(
    ("members", "found", "code"),
    [
        ({}, None, None),
        ({}, FOUND, None),
        ({"IfMatch": '"abc"'}, FOUND, None),
        ({"IfMatch": '"x"'}, FOUND, "PreconditionFailed"),
        ({"IfMatch": '"abc"'}, None, "NoSuchKey"),
        ({"IfMatchSize": 3}, None, None),
        ({"IfMatchSize": 3}, FOUND, None),
        ({"IfMatchSize": 0}, FOUND, "PreconditionFailed"),
        ({"IfMatchLastModifiedTime": at(0)}, FOUND, None),
        ({"IfMatchLastModifiedTime": at(1)}, FOUND, "PreconditionFailed"),
    ],
)
def test_deletes(members: dict[str, Any], found: Version | None, code: str | None) -> None:
    if code is None:
        return check_delete(members, b"k", found)
    with pytest.raises(S3Error, match=code):
        check_delete(members, b"k", found)
    return None
