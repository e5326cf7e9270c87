"""Rules about objects: write, read, copy, tag, delete."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from state_machine.compare import Members
from state_machine.machine import Id, Machine, Source
from state_machine.material import (
    ALGORITHMS,
    ATTRIBUTES,
    COPY,
    DELETE,
    NO_VERSION,
    READ,
    TAGGINGS,
    TOO_LONG,
    WRITE_CONDITIONS,
    WRITTEN,
    declared,
    in_xml,
)

from s3d.s3.uri import quote_path

NUMBERS = st.integers(0, 40)
WHICH_VERSION = st.one_of(st.none(), st.none(), NUMBERS)
"""Of a request: the current version, or one of those that were named."""


class ObjectRules(Machine):
    """Mixed into the machine."""

    def at(self, bucket: int, key: int) -> Members:
        keys = self.profile.keys
        return {"Bucket": self.buckets[bucket % 2], "Key": keys[key % len(keys)]}

    def at_version(self, bucket: int, key: int, version: int | None) -> Members:
        """A key, or a version that is there or was."""
        named = self.version_of(version) if version is not None and self.has("versions") else None
        if named and not self.has("markers by id") and self._is_marker(*named):
            named = None
        return {"Bucket": named[0], "Key": named[1], "VersionId": named[2]} if named else self.at(bucket, key)

    def _is_marker(self, bucket: str, key: str, version: Id) -> bool:
        versions = self.model.store.buckets[bucket].versions(key)
        return any(found.is_marker for found in versions if found.version == version.expected)

    @rule(
        bucket=NUMBERS,
        key=NUMBERS,
        body=NUMBERS,
        members=WRITTEN,
        conditions=WRITE_CONDITIONS,
        algorithm=st.sampled_from(ALGORITHMS),
        right=st.sampled_from((True, True, True, False)),
    )
    def put(
        self, bucket: int, key: int, body: int, members: Members, conditions: Members, algorithm: str, right: bool
    ) -> None:
        data = self.profile.bodies[body % len(self.profile.bodies)]
        sums = declared(algorithm, data, right=right) if self.has("checksums") else {}
        members = self.asked(members) if right else {}
        members = {**members, **(conditions if right and self.has("write conditions") else {}), **sums}
        self.send("PutObject", {**self.at(bucket, key), **members}, data)

    @rule(bucket=NUMBERS, key=NUMBERS, body=NUMBERS)
    def put_plainly(self, bucket: int, key: int, body: int) -> None:
        """Most of what happens in the world, so that there is something to read."""
        self.send("PutObject", self.at(bucket, key), self.profile.bodies[body % len(self.profile.bodies)])

    @rule(
        operation=st.sampled_from(("GetObject", "GetObject", "HeadObject")),
        bucket=NUMBERS,
        key=NUMBERS,
        version=WHICH_VERSION,
        members=READ,
    )
    def read(self, operation: str, bucket: int, key: int, version: int | None, members: Members) -> None:
        members = members if self.has("read options") else {}
        self.send(operation, {**self.at_version(bucket, key, version), **members})

    @precondition(lambda self: self.has("attributes"))
    @rule(bucket=NUMBERS, key=NUMBERS, version=WHICH_VERSION, wanted=ATTRIBUTES)
    def attributes(self, bucket: int, key: int, version: int | None, wanted: list[str]) -> None:
        self.send("GetObjectAttributes", {**self.at_version(bucket, key, version), "ObjectAttributes": wanted})

    @rule(bucket=NUMBERS, key=NUMBERS, version=WHICH_VERSION, conditions=DELETE)
    def delete(self, bucket: int, key: int, version: int | None, conditions: Members) -> None:
        where = self.at_version(bucket, key, version)
        if "VersionId" in where or not self.has("delete conditions"):
            conditions = {}  # "conditional delete evaluations only apply to the current version"
        self.send("DeleteObject", {**where, **conditions})

    @precondition(lambda self: self.has("delete many"))
    @rule(
        bucket=NUMBERS,
        entries=st.lists(st.tuples(NUMBERS, WHICH_VERSION), min_size=1, max_size=4),
        quiet=st.booleans(),
    )
    def delete_many(self, bucket: int, entries: list[tuple[int, int | None]], quiet: bool) -> None:
        objects = [self.at_version(bucket, key, version) for key, version in entries]
        where = objects[0]["Bucket"]
        objects = [{n: v for n, v in entry.items() if n != "Bucket"} for entry in objects if entry["Bucket"] == where]
        objects = [entry for position, entry in enumerate(objects) if entry not in objects[:position]]
        quiet = quiet and self.has("quiet")
        if all(in_xml(entry["Key"]) for entry in objects):
            self.send("DeleteObjects", {"Bucket": where, "Delete": {"Objects": objects, "Quiet": quiet}})

    @rule(
        source=st.tuples(NUMBERS, NUMBERS),
        version=WHICH_VERSION,
        onto=st.tuples(NUMBERS, NUMBERS),
        members=COPY,
        itself=st.sampled_from((False, False, False, True)),
    )
    def copy(
        self, source: tuple[int, int], version: int | None, onto: tuple[int, int], members: Members, itself: bool
    ) -> None:
        members = self.asked(members) if self.has("copy options") else {}
        where = self.at_version(*source, version if self.has("copies of versions") else None)
        if not in_xml(where["Key"]) and "IfMatch" in members:
            members = {}
        goal = {"Bucket": where["Bucket"], "Key": where["Key"]} if itself else self.at(*onto)
        copy_source = Source(f"{where['Bucket']}/{quote_path(where['Key'])}", where.get("VersionId"))
        self.send("CopyObject", {**goal, "CopySource": copy_source, **members})

    @precondition(lambda self: self.has("tags"))
    @rule(
        operation=st.sampled_from(("GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging")),
        bucket=NUMBERS,
        key=NUMBERS,
        version=WHICH_VERSION,
        tags=TAGGINGS,
    )
    def tag(self, operation: str, bucket: int, key: int, version: int | None, tags: Members) -> None:
        tagging = self.asked({"Tagging": tags}) if operation == "PutObjectTagging" else {}
        if operation == "PutObjectTagging" and not tagging:
            return
        self.send(operation, {**self.at_version(bucket, key, version), **tagging})

    @precondition(lambda self: self.has("errors"))
    @rule(bucket=NUMBERS, key=NUMBERS)
    def ask_for_nonsense(self, bucket: int, key: int) -> None:
        where = self.at(bucket, key)
        self.send("GetObject", {**where, "VersionId": NO_VERSION})
        self.send("DeleteObject", {**where, "VersionId": NO_VERSION})
        self.send("PutObject", {**where, "Key": TOO_LONG}, b"x")
        self.send("GetObject", {**where, "Bucket": f"{self.run_id}-none"})
        self.send("AbortMultipartUpload", {**where, "UploadId": Id("nonsense", "nonsense")})
