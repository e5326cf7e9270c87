"""Rules about multipart uploads."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from model.checksums import COMPOSITE_ONLY, FULL_OBJECT_ONLY
from state_machine.compare import Members
from state_machine.machine import Id, Source, Upload
from state_machine.material import (
    ALGORITHMS,
    PAGE_SIZES,
    PART_BODIES,
    WRITE_CONDITIONS,
    WRITTEN,
    declared,
    etag,
    in_xml,
)
from state_machine.object_rules import NUMBERS, WHICH_VERSION, ObjectRules

from s3d.s3.uri import quote_path

_MISTAKES = st.sampled_from((None, None, None, "etag", "order", "missing", "checksum", "size"))


class UploadRules(ObjectRules):
    """Mixed into the machine."""

    @precondition(lambda self: self.has("uploads"))
    @rule(
        bucket=NUMBERS,
        key=NUMBERS,
        members=WRITTEN,
        algorithm=st.sampled_from(ALGORITHMS),
        kind=st.sampled_from((None, "COMPOSITE", "FULL_OBJECT")),
    )
    def create_upload(self, bucket: int, key: int, members: Members, algorithm: str | None, kind: str | None) -> None:
        where = self.at(bucket, key)
        if not in_xml(where["Key"]):  # the answer says it
            return
        asked = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind} if self.has("checksums") else {}
        if kind:  # which of two mistakes is named is nobody's business
            members = {}
        done = self.send("CreateMultipartUpload", {**where, **self.asked(members), **asked})
        if done.code:
            return
        algorithm = algorithm if self.has("checksums") else None
        default = "FULL_OBJECT" if algorithm in {None, *FULL_OBJECT_ONLY} - COMPOSITE_ONLY else "COMPOSITE"
        expected = done.members["UploadId"]
        upload_id = Id(expected, self.pairs.found(expected))
        self.uploads.append(Upload(where["Bucket"], where["Key"], upload_id, algorithm, kind or default))

    def upload(self, number: int) -> Upload | None:
        """One that was created; where mistakes are left out, one that is still open."""
        uploads = [upload for upload in self.uploads if upload.is_open or self.has("errors")]
        return uploads[-1 - number % len(uploads)] if uploads else None

    @precondition(lambda self: self.uploads)
    @rule(
        which=NUMBERS,
        number=st.sampled_from((1, 1, 2, 2, 3, 3, 10_001)),
        body=st.sampled_from(PART_BODIES),
        right=st.sampled_from((True, True, True, False)),
    )
    def upload_part(self, which: int, number: int, body: bytes, right: bool) -> None:
        upload = self.upload(which)
        if upload is None or (number > 3 and not self.has("errors")):
            return
        sums = declared(upload.algorithm, body, right=right)
        done = self.send("UploadPart", {**upload.where, "PartNumber": number, **sums}, body)
        if not done.code:
            upload.parts[number] = body

    @precondition(lambda self: self.uploads and self.has("part copies"))
    @rule(
        which=NUMBERS,
        number=st.sampled_from((1, 2, 3)),
        source=st.tuples(NUMBERS, NUMBERS),
        version=WHICH_VERSION,
        wanted=st.sampled_from((None, None, "bytes=0-2", "bytes=3-9", "bytes=5-20", "bytes=2-", "x")),
    )
    def copy_part(
        self, which: int, number: int, source: tuple[int, int], version: int | None, wanted: str | None
    ) -> None:
        upload, where = self.upload(which), self.at_version(*source, version)
        if upload is None:
            return
        copy_source = Source(f"{where['Bucket']}/{quote_path(where['Key'])}", where.get("VersionId"))
        members = {"PartNumber": number, "CopySource": copy_source, "CopySourceRange": wanted}
        done = self.send("UploadPartCopy", {**upload.where, **members})
        if not done.code:
            stored = self.model.store.buckets[upload.bucket].uploads[upload.id.expected].parts[number]
            upload.parts[number] = stored.data

    @precondition(lambda self: self.uploads)
    @rule(which=NUMBERS, count=st.sampled_from((3, 3, 2, 1)), mistake=_MISTAKES, conditions=WRITE_CONDITIONS)
    def complete(self, which: int, count: int, mistake: str | None, conditions: Members) -> None:
        """Also of an upload that is complete or aborted."""
        upload = self.upload(which)
        if upload is None or not (upload.parts or self.has("errors")):
            return
        parts = [
            {"PartNumber": number, "ETag": etag(body), **declared(upload.algorithm, body)}
            for number, body in sorted(upload.parts.items())[:count]
        ]
        members: Members = conditions if self.has("write conditions") else {}
        if parts and mistake == "etag":
            parts[-1]["ETag"] = etag(b"other")
        elif mistake == "order":
            parts.reverse()
        elif mistake == "missing":
            parts.append({"PartNumber": 9, "ETag": etag(b""), **declared(upload.algorithm, b"")})
        elif parts and mistake == "checksum" and upload.algorithm:
            parts[0] |= declared(upload.algorithm, b"other")
        elif mistake == "size" and self.has("checksums"):
            members = {**members, "MpuObjectSize": 1}
        if mistake in (None, "size") or self.has("errors"):
            document = {"MultipartUpload": {"Parts": parts}}
            done = self.send("CompleteMultipartUpload", {**upload.where, **document, **members})
            upload.is_open = upload.is_open and bool(done.code)

    @precondition(lambda self: self.uploads)
    @rule(which=NUMBERS)
    def abort(self, which: int) -> None:
        upload = self.upload(which)
        if upload is not None:
            self.send("AbortMultipartUpload", upload.where)
            upload.is_open = False

    @precondition(lambda self: self.uploads)
    @rule(which=NUMBERS, size=st.sampled_from(PAGE_SIZES), marker=st.sampled_from((None, "0", "1", "2")))
    def list_parts(self, which: int, size: int | None, marker: str | None) -> None:
        paging = {"MaxParts": size, "PartNumberMarker": marker} if self.has("part pages") else {}
        upload = self.upload(which)
        if upload is not None:
            self.send("ListParts", {**upload.where, **paging})
