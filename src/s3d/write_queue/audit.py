"""Comparing the ledger with the remote: is what was pushed still there, as it was pushed?

What differs is told, not whose work it is: a later change by another client of the remote is as good as any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Response
from s3d.s3.whole import read_whole
from s3d.standalone.version import key_text
from s3d.write_queue.journal import Journal
from s3d.write_queue.ledger import Entry, Ledger, Position, is_object
from s3d.write_queue.operation import DELETE, PENDING, PUSHING
from s3d.write_queue.outcome import Refusal, of_error, refusal

SAME, DELETED = "same", "deleted"
"""The remote has what was pushed; what was deleted is not there."""
GONE, CHANGED, EXISTS = "gone", "changed", "exists"
"""What was pushed is not there; something else is there; what was deleted is there."""
UNKNOWN, SKIPPED = "unknown", "skipped"
"""The remote did not say; a change of the key is on its way, so there is nothing to compare yet."""

_PARALLEL = 16
"""Questions to the remote at a time."""
_SCANNED = 4
"""Rows of the ledger that a page looks at for each entry that it may have: of a key that is written every second most are
of no interest."""
_MEANS = {403: "it may not be read, or is not there and the bucket may not be listed"}
"""HeadObject, Amazon S3 API Reference: without s3:ListBucket the answer is 403 where there is no object."""
_CHECKSUM, _CHECKSUM_TYPE = "x-amz-checksum-", "type"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be compared: keys of a bucket that begin with ``prefix``, or (None) those of all buckets, behind a
    position, ``limit`` entries at most. ``versions``: not only the newest of each key, but each that is a version of its
    own."""

    bucket: str | None = None
    prefix: bytes = b""
    after: Position | None = None
    limit: int = 100
    versions: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """What HeadObject says of an object."""

    size: int | None
    etag: str | None
    """Without its quotes."""
    checksums: Mapping[str, str] = field(default_factory=dict)
    """Base64 by algorithm, CRC32 and so on."""
    version_id: str | None = None
    modified: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What came out for one entry. ``differs``: of size, etag, checksum those that do. ``kept``: where the key is not what
    was pushed, whether that is still there as a version (None: there are no versions, or nobody asked)."""

    entry: Entry
    status: str
    differs: tuple[str, ...] = ()
    found: Found | None = None
    kept: bool | None = None
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """``next`` None: that was all. ``away``: why the remote could not be reached; what it was not asked is unknown."""

    checked: list[Checked]
    next: Position | None
    away: str | None


# Comparing: no I/O.


def compare(entry: Entry, found: Found | None) -> Checked:
    """``found`` None: there is no object."""
    if entry.kind == DELETE:
        return Checked(entry, DELETED if found is None else EXISTS, found=found)
    if found is None:
        return Checked(entry, GONE)
    compared = _compared(entry, found)
    differs = tuple(name for name, same in compared.items() if not same)
    if differs:
        return Checked(entry, CHANGED, differs, found)
    if compared.keys() <= {"size"}:
        error = {"code": "NothingToCompare", "message": "Neither ETag nor checksum is known of what was pushed."}
        return Checked(entry, UNKNOWN, found=found, error=error)
    return Checked(entry, SAME, found=found)


def _compared(entry: Entry, found: Found) -> dict[str, bool]:
    """What both sides know, and whether it is the same."""
    compared: dict[str, bool] = {}
    if found.size is not None:
        compared["size"] = found.size == entry.size
    if entry.etag and found.etag:
        compared["etag"] = found.etag == entry.etag
    algorithm, _, value = (entry.checksum or "").partition(":")
    there = found.checksums.get(algorithm)
    # One of the parts' checksums (it ends in -N) and one of all bytes say nothing about each other.
    if there is not None and ("-" in there) == ("-" in value):
        compared["checksum"] = there == value
    return compared


def found_in(response: S3Response) -> Found | None:
    """What an answer to HeadObject says; None: there is no such object. Raises Refusal for all others."""
    headers = response.headers
    if response.status == 404 or (response.status == 405 and headers.get("x-amz-delete-marker") == "true"):
        return None
    if response.status != 200:
        error = refusal(response)  # without a message: an answer to HEAD has no body
        raise Refusal(error.code, error.message or _MEANS.get(response.status, "no reason was given"), error.status)
    etag = headers.get("ETag")
    if etag is None:  # S3 gives one for every object; who signs in to a hotel's network gets its pages
        raise Refusal("NotS3", "The answer has no ETag: something stands in front of the remote.", 502)
    length = headers.get("Content-Length", "")
    return Found(
        size=int(length) if length.isascii() and length.isdigit() else None,
        etag=etag.strip('"').lower(),
        checksums=_checksums(headers),
        version_id=headers.get("x-amz-version-id"),
        modified=headers.get("Last-Modified"),
    )


def _checksums(headers: Mapping[str, str]) -> dict[str, str]:
    lower = {name.lower(): value for name, value in headers.items()}
    return {
        name.removeprefix(_CHECKSUM).upper(): value
        for name, value in lower.items()
        if name.startswith(_CHECKSUM) and name != _CHECKSUM + _CHECKSUM_TYPE
    }


# Asking.


class Audit:
    """Of one queue, through its own Backend: only the daemon has the credentials."""

    def __init__(self, ledger: Ledger, journal: Journal, inner: Backend) -> None:
        self._ledger = ledger
        self._journal = journal
        self._inner = inner

    async def page(self, wanted: Wanted) -> Page:
        """Compares the next entries, several at a time."""
        entries, following = self._entries(wanted)
        asking = _Asking(self._inner)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._check(entry, asking)) for entry in entries]
        return Page([task.result() for task in tasks], following, asking.away)

    def _entries(self, wanted: Wanted) -> tuple[list[Entry], Position | None]:
        """Those of the page, and where the next one begins."""
        most = wanted.limit * _SCANNED
        rows = self._ledger.page(wanted.bucket, wanted.prefix, wanted.after, most)
        chosen: list[Entry] = []
        for number, entry in enumerate(rows, 1):
            if is_object(entry) and (entry.newest or (wanted.versions and entry.has_version())):
                chosen.append(entry)
            if len(chosen) == wanted.limit and number < len(rows):
                return chosen, entry.position
        return chosen, rows[-1].position if len(rows) == most else None

    async def _check(self, entry: Entry, asking: _Asking) -> Checked:
        if entry.newest and self._moves(entry):
            return Checked(entry, SKIPPED)
        try:
            checked = await self._compare(entry, asking)
        except RemoteUnreachable as error:
            checked = Checked(entry, UNKNOWN, error=of_error(error).document())
        except Refusal as error:
            checked = Checked(entry, UNKNOWN, error=error.document())
        if entry.newest and checked.status not in (SAME, DELETED) and self._moves(entry):
            return Checked(entry, SKIPPED)  # it was changed here while the remote was asked
        return checked

    async def _compare(self, entry: Entry, asking: _Asking) -> Checked:
        """Raises Refusal, RemoteUnreachable."""
        if not entry.newest:
            return compare(entry, await asking.head(entry, entry.version_id))
        checked = compare(entry, await asking.head(entry))
        if checked.status not in (GONE, CHANGED) or not entry.has_version():
            return checked
        if checked.found is not None and checked.found.version_id == entry.version_id:
            return checked
        version = compare(entry, await asking.head(entry, entry.version_id))
        return Checked(entry, checked.status, checked.differs, checked.found, kept=version.status == SAME)

    def _moves(self, entry: Entry) -> bool:
        """Whether the remote is about to be changed from here, or was since the entry was read. What failed changes
        nothing there."""
        waiting = self._journal.of_key(entry.bucket, entry.key)
        if any(operation.state in (PENDING, PUSHING) for operation in waiting):
            return True
        newest = self._ledger.newest(entry.bucket, entry.key)
        return newest is None or newest.seq != entry.seq


class _Asking:
    """The questions of one page. Once the remote cannot be reached, no more are sent."""

    def __init__(self, inner: Backend) -> None:
        self._inner = inner
        self._turn = asyncio.Semaphore(_PARALLEL)
        self.away: str | None = None

    async def head(self, entry: Entry, version_id: str | None = None) -> Found | None:
        """Raises Refusal, RemoteUnreachable."""
        members = {"Bucket": entry.bucket, "Key": key_text(entry.key)}
        if version_id is not None:
            members["VersionId"] = version_id
        request = codec.build_request("HeadObject", members)
        request.headers["x-amz-checksum-mode"] = "ENABLED"
        async with self._turn:
            if self.away is not None:
                raise RemoteUnreachable(self.away)
            try:
                return found_in(await read_whole(await self._inner(request)))
            except RemoteUnreachable as error:
                self.away = error.message
                raise
            except S3Error as error:  # an embedded store raises what a remote answers
                if error.status == 404 or (error.status == 405 and version_id is not None):
                    return None
                raise of_error(error) from error
