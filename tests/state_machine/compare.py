"""Whether two answers to one request say the same.

What each side makes up by itself (version and upload ids, tokens) must correspond one to one; times must be there on
both or on neither; owners are not compared. Everything else must be equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.calling import body_of, respond

from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.message import S3Request
from s3d.s3.model import OPERATIONS
from s3d.s3.uri import unquote

Members = dict[str, Any]

_IDS = frozenset(
    {
        "ContinuationToken",
        "CopySourceVersionId",
        "DeleteMarkerVersionId",
        "NextContinuationToken",
        "NextUploadIdMarker",
        "NextVersionIdMarker",
        "UploadId",
        "UploadIdMarker",
        "VersionId",
        "VersionIdMarker",
        "x-amz-version-id",
    }
)
_PRESENT = frozenset({"LastModified", "Initiated", "CreationDate", "Location", "Owner", "Initiator", "Last-Modified"})
"""Compared only in being there."""
_UNORDERED = {"TagSet": "Key", "Deleted": "Key", "Errors": "Key"}
_ENCODED = frozenset({"Delimiter", "Key", "KeyMarker", "Marker", "NextKeyMarker", "NextMarker", "Prefix", "StartAfter"})
"""What ``encoding-type=url`` is about; how much of it is escaped is up to the server."""
_ERROR_HEADERS = ("Allow", "ETag", "Last-Modified", "x-amz-delete-marker", "x-amz-version-id")
_NOT_COMPARED = frozenset({"Message", "Reason", "RequestId", "HostId", "Resource", "Header", "Operation"})


@dataclass
class Outcome:
    """An answer without what is different in every one."""

    status: int
    code: str = ""
    members: Members = field(default_factory=dict)
    """Output members; of an error its elements and those of its headers that matter."""

    def __str__(self) -> str:
        return f"{self.status} {self.code} {shortened(self.members)}"


async def outcome(backend: Backend, request: S3Request) -> Outcome:
    response = await respond(backend, request)
    data = await body_of(response)
    if response.status >= 300 or codec.is_error(data):
        error = codec.parse_error(response, data)
        said = {name: response.headers[name] for name in _ERROR_HEADERS if name in response.headers}
        return Outcome(response.status, error.code, {**error.elements, **said})
    streams = any(member.location == "stream" for member in OPERATIONS[request.operation].output)
    members = codec.parse_response(request.operation, response, b"" if streams else data)
    if members.get("EncodingType"):
        members = _decoded(members)
    return Outcome(response.status, "", members | ({"Body": data} if streams else {}))


def _decoded(value: Any, name: str = "") -> Any:
    """Keys as they were before ``encoding-type=url``."""
    if isinstance(value, dict):
        return {inner: _decoded(item, inner) for inner, item in value.items()}
    if isinstance(value, list):
        return [_decoded(item, name) for item in value]
    return unquote(value.replace("+", " ")) if name in _ENCODED else value


class Pairs:
    """Which id of one side is which of the other."""

    def __init__(self) -> None:
        self._other: dict[str, str] = {}
        self._expected: dict[str, str] = {}

    def same(self, expected: str, found: str) -> bool:
        """Takes two ids that meet for the first time for the same."""
        if "null" in (expected, found):
            return expected == found
        self._other.setdefault(expected, found)
        self._expected.setdefault(found, expected)
        return self._other[expected] == found and self._expected[found] == expected

    def found(self, expected: str) -> str:
        """What the other side calls it."""
        return self._other.get(expected, expected)


def difference(
    pairs: Pairs, expected: Outcome, found: Outcome, *, ignored: frozenset[str] = frozenset(), elements: bool = True
) -> str:
    """A sentence, or nothing. Of an error the elements that the model has must be there, among others."""
    if (expected.status, expected.code) != (found.status, found.code):
        return f"expected {expected}, found {found}"
    members = found.members
    if expected.code and not elements:
        return ""
    if expected.code:
        members = {name: value for name, value in members.items() if name in expected.members}
    return _members(pairs, expected.members, members, "", ignored | _NOT_COMPARED if expected.code else ignored)


def _members(
    pairs: Pairs, expected: Mapping[str, Any], found: Mapping[str, Any], path: str, ignored: frozenset[str]
) -> str:
    for name in sorted({*expected, *found}):
        if name in ignored:
            continue
        wanted, got = expected.get(name), found.get(name)
        if wanted in (None, "", []) and got in (None, "", []):
            continue
        sentence = _value(pairs, name, wanted, got, f"{path}.{name}", ignored)
        if sentence:
            return sentence
    return ""


def _value(pairs: Pairs, name: str, wanted: Any, got: Any, path: str, ignored: frozenset[str]) -> str:
    if name in _PRESENT:
        return "" if (wanted is None) == (got is None) else f"{path}: expected {wanted!r}, found {got!r}"
    if isinstance(wanted, dict) and isinstance(got, dict):
        return _members(pairs, wanted, got, path, ignored)
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        return _items(pairs, name, wanted, got, path, ignored)
    same = pairs.same(wanted, got) if name in _IDS and wanted and got else wanted == got
    return "" if same else f"{path}: expected {shortened(wanted)}, found {shortened(got)}"


def _items(pairs: Pairs, name: str, wanted: list[Any], got: list[Any], path: str, ignored: frozenset[str]) -> str:
    if name in _UNORDERED:
        wanted, got = (sorted(items, key=lambda item: str(item[_UNORDERED[name]])) for items in (wanted, got))
    for position, (one, other) in enumerate(zip(wanted, got, strict=True)):
        sentence = _value(pairs, "", one, other, f"{path}[{position}]", ignored)
        if sentence:
            return sentence
    return ""


def shortened(value: Any) -> str:
    """For a message: bodies may be large."""
    text = repr(value)
    return text if len(text) < 600 else f"{text[:600]}... ({len(text)} characters)"
