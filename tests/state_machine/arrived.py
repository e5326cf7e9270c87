"""Whether the remote has become what the model is."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from state_machine.compare import Members, Outcome, Pairs, difference
from state_machine.queue_machine import VERSIONS, QueueMachine

from s3d.s3.backend import Backend

_LISTED = ("Versions", "DeleteMarkers")


@dataclass(frozen=True)
class Stored:
    """One version at one side, with all that can be read of it; of a delete marker nothing."""

    number: int
    is_marker: bool
    said: tuple[Outcome, ...] = ()


class Arrived(QueueMachine):
    """Mixed into the machine."""

    def end(self) -> None:
        """Nothing is in the way any more: all arrives, and nothing stays in the queue."""
        self.bring_in_order()
        self.check_remote()
        self.check_uploads()
        for upload in self.uploads:
            if upload.is_open:
                self.send("AbortMultipartUpload", upload.where)
        document = self.it.document()
        self.check(not document["states"], f"operations are left: {document['states']}")
        self.check((document["bytes"], document["files"]) == (0, 0), f"bytes are left: {document}")
        self.check(not self.defects.found, f"defects: {self.defects.found}")

    def bring_in_order(self) -> None:
        """Everything is pushed, with what somebody has to do after failures: retries what failed, drops what was replaced
        since."""
        self.faulty.heal()
        self.it.resume()
        self.is_paused = False
        failed = True
        while failed:  # again: what was refused a moment ago fails now
            self.forget_replaced()
            self.runner.run(self.it.retry(self.it.page("failed", 0, 1000)))
            self.flush()
            failed = bool(self.it.page("failed", 0, 1))

    def forget_replaced(self) -> None:
        """Failed operations that were replaced never arrive, so the model forgets their versions."""
        replaced = [operation for operation in self.it.page("failed", 0, 1000) if operation.superseded]
        for bucket in self.buckets:
            for place in self.histories.places(bucket):
                self.histories.refresh(self.it, place)
        self.runner.run(self.it.drop(replaced))

    def check_remote(self) -> None:
        """Bytes, headers, metadata, tags, checksums and order of all versions, uploads of others."""
        for bucket in self.buckets:
            expected, found = (self._versions(backend, bucket) for backend in (self.model, self.remote))
            names = {*expected, *found}
            for key in sorted(names):
                sentence = self._history(bucket, key, expected.get(key, []), found.get(key, []))
                self.check(not sentence, f"{bucket}/{key!r} at the remote: {sentence}", key)

    def check_uploads(self) -> None:
        """None is left at the remote with which something was pushed, but where an answer was lost that had its id."""
        for bucket in self.buckets:
            others = {upload.key for upload in self.model.store.buckets[bucket].uploads.values()}
            allowed = {key for name, key in self.faulty.unsure if name == bucket}
            for _ in range(200):
                listed = self.runner.run(self._at(self.remote, "ListMultipartUploads", {"Bucket": bucket}, None))
                left = {entry["Key"] for entry in listed.members.get("Uploads") or []} - others - allowed
                if not left:
                    break
                self.let_pass(0.02)
            self.check(not left, f"uploads are left in {bucket}: {left}")

    def _versions(self, backend: Backend, bucket: str) -> dict[str, list[Stored]]:
        """By key, oldest first."""
        asked = {"Bucket": bucket, "EncodingType": "url"}
        listed = self.runner.run(self._at(backend, "ListObjectVersions", asked, None))
        self.check(not listed.code and not listed.members.get("IsTruncated"), f"{bucket}: {listed}")
        found: dict[str, list[Stored]] = {}
        order = self._order(backend, bucket, listed.members)
        for number, (entry, is_marker) in enumerate(order):
            stored = Stored(number, is_marker, () if is_marker else self._read(backend, bucket, entry))
            found.setdefault(entry["Key"], []).append(stored)
        return {key: versions[::-1] for key, versions in found.items()}

    def _order(self, backend: Backend, bucket: str, members: Members) -> list[tuple[Members, bool]]:
        """Versions and markers in one order: lists of one version each say how they follow one another."""
        entries = {
            (entry["Key"], entry["VersionId"]): (entry, name == "DeleteMarkers")
            for name in _LISTED
            for entry in members.get(name) or []
        }
        if not members.get("DeleteMarkers"):
            return list(entries.values())
        asked: Members = {"Bucket": bucket, "EncodingType": "url", "MaxKeys": 1}
        order = []
        while True:
            page = self.runner.run(self._at(backend, "ListObjectVersions", asked, None)).members
            order += [(entry["Key"], entry["VersionId"]) for name in _LISTED for entry in page.get(name) or []]
            if not page.get("IsTruncated"):
                return [entries[name] for name in order]
            asked |= {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def _read(self, backend: Backend, bucket: str, entry: Members) -> tuple[Outcome, ...]:
        where = {"Bucket": bucket, "Key": entry["Key"], "VersionId": entry["VersionId"]}
        parts = {"ObjectAttributes": ["ObjectParts", "Checksum", "StorageClass"]}
        asked = (
            ("GetObject", where | {"ChecksumMode": "ENABLED"}),
            ("GetObjectTagging", where),
            ("GetObjectAttributes", where | parts),
        )
        return tuple(self.runner.run(self._at(backend, name, members, None)) for name, members in asked)

    def _history(self, bucket: str, key: str, expected: list[Stored], found: list[Stored]) -> str:
        """Each version is there, in order, and once. Of equal ones that follow each other, one may be missing where the
        queue had to look whether the last was there already, and be there twice where it was not allowed to look."""
        nothing = Stored(-1, is_marker=True)  # which a delete leaves as it is, as it does a marker
        if (bucket, key) in self.histories.retagged:
            expected, found = _untagged(expected), _untagged(found)
        if (bucket, key) in self.loose:
            return _differ([nothing, *expected][-1], [nothing, *found][-1])
        unsure, unseen = (bucket, key) in self.faulty.unsure, (bucket, key) in self.faulty.unseen
        wanted, got = _runs([nothing, *expected]), _runs([nothing, *found])
        if len(wanted) != len(got):
            return f"expected {_for_people(expected)}, found {_for_people(found)}"
        for one, other in zip(wanted, got, strict=True):
            if sentence := _differ(one[0], other[0]):
                return sentence
            missing, more = len(one) - len(other), len(other) - len(one)
            if (missing > 0 and not unsure) or (more > 0 and not unseen):
                return f"{len(one)} times expected, {len(other)} times found: {_for_people(one[:1])}"
        return ""


def _untagged(versions: list[Stored]) -> list[Stored]:
    """As if nobody had asked for tags."""
    return [dataclasses.replace(version, said=tuple(map(_without_tags, version.said))) for version in versions]


def _without_tags(one: Outcome) -> Outcome:
    members = {name: value for name, value in one.members.items() if name not in ("TagCount", "TagSet")}
    return dataclasses.replace(one, members=members)


def _runs(versions: Iterable[Stored]) -> list[list[Stored]]:
    """Equal ones that follow each other, together."""
    runs: list[list[Stored]] = []
    for version in versions:
        if runs and not _differ(runs[-1][-1], version):
            runs[-1].append(version)
        else:
            runs.append([version])
    return runs


def _differ(expected: Stored, found: Stored) -> str:
    if expected.is_marker != found.is_marker:
        return f"expected {_for_people([expected])}, found {_for_people([found])}"
    pairs = itertools.zip_longest(expected.said, found.said)
    return next((said for one, other in pairs if (said := difference(Pairs(), one, other, ignored=VERSIONS))), "")


def _for_people(versions: Iterable[Stored]) -> str:
    return ", ".join("a marker" if version.is_marker else str(version.said[0]) for version in versions) or "nothing"
