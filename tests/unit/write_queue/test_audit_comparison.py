"""What an audit makes of an entry of the ledger and an answer of the remote: no I/O."""

from __future__ import annotations

from typing import Any

import pytest
from unit.write_queue.opened import BUCKET
from unit.write_queue.pushing import bare

from s3d.s3.message import S3Response
from s3d.write_queue.audit import Found, compare, found_in
from s3d.write_queue.ledger import Entry
from s3d.write_queue.outcome import Refusal


def entry(kind: str = "put", **changed: Any) -> Entry:
    values: dict[str, Any] = {
        "seq": 1,
        "bucket": BUCKET,
        "key": b"k",
        "kind": kind,
        "size": 5,
        "etag": "e",
        "checksum": "CRC32:abcd",
        "version_id": None,
        "accepted": 1.0,
        "pushed": 2.0,
        "newest": 1,
    }
    return Entry(**values | changed)


COMPARED = [
    ({}, Found(5, "e", {"CRC32": "abcd"}), "same", ()),
    ({}, Found(5, "e"), "same", ()),
    ({"checksum": None}, Found(5, "e", {"SHA1": "x"}), "same", ()),
    ({"etag": None}, Found(5, "e", {"CRC32": "abcd"}), "same", ()),
    ({}, Found(6, "e"), "changed", ("size",)),
    ({}, Found(None, "e"), "same", ()),
    ({"etag": None, "checksum": None}, Found(None, "e"), "unknown", ()),
    ({}, Found(5, "f"), "changed", ("etag",)),
    ({}, Found(5, "e", {"CRC32": "efgh"}), "changed", ("checksum",)),
    ({}, Found(6, "f", {"CRC32": "efgh"}), "changed", ("size", "etag", "checksum")),
    ({"checksum": "CRC32:abcd-2"}, Found(5, "e", {"CRC32": "efgh"}), "same", ()),
    ({"checksum": "CRC32:abcd-2"}, Found(5, "e", {"CRC32": "efgh-2"}), "changed", ("checksum",)),
    ({"etag": None, "checksum": None}, Found(5, "e"), "unknown", ()),
    ({"etag": None, "checksum": None}, Found(6, "e"), "changed", ("size",)),
]


@pytest.mark.parametrize(("known", "found", "status", "differs"), COMPARED)
def test_an_object(known: dict[str, Any], found: Found, status: str, differs: tuple[str, ...]) -> None:
    checked = compare(entry(**known), found)
    assert (checked.status, checked.differs, checked.found) == (status, differs, found)
    assert (checked.error is not None) == (status == "unknown")


def test_none() -> None:
    assert compare(entry(), None).status == "gone"
    assert compare(entry("upload"), None).status == "gone"
    assert compare(entry("delete"), None).status == "deleted"
    assert compare(entry("delete"), Found(5, "e")).status == "exists"


def test_what_an_answer_says() -> None:
    headers = {
        "Content-Length": "7",
        "ETag": '"ABC"',
        "x-amz-checksum-crc32": "x==",
        "x-amz-checksum-type": "FULL_OBJECT",
        "x-amz-version-id": "v",
        "Last-Modified": "now",
    }
    response = S3Response(200)
    response.headers.update(headers)
    assert found_in(response) == Found(7, "abc", {"CRC32": "x=="}, "v", "now")
    assert found_in(bare(404)) is None
    marker = bare(405)
    marker.headers["x-amz-delete-marker"] = "true"
    assert found_in(marker) is None


@pytest.mark.parametrize("status", [200, 301, 403, 405, 429, 500, 503])
def test_an_answer_that_says_nothing(status: int) -> None:
    """Also 200 without an ETag: that is no object, but a page of something in front of the remote."""
    with pytest.raises(Refusal) as raised:
        found_in(bare(status))
    assert raised.value.message
