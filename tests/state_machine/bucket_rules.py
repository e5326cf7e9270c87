"""Rules about buckets: lists and their pages, versioning, configurations, create and delete."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from state_machine.compare import Members
from state_machine.machine import Id, Machine
from state_machine.material import PAGE_SIZES, PREFIXES
from state_machine.object_rules import NUMBERS

_CORS = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
_LIFECYCLE = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "a"}, "Expiration": {"Days": 1}}]}
_CONFIGURATIONS: tuple[tuple[str, Members], ...] = (
    ("PutBucketCors", {"CORSConfiguration": _CORS}),
    ("GetBucketCors", {}),
    ("DeleteBucketCors", {}),
    ("PutBucketTagging", {"Tagging": {"TagSet": [{"Key": "a", "Value": "1"}]}}),
    ("GetBucketTagging", {}),
    ("DeleteBucketTagging", {}),
    ("PutBucketLifecycleConfiguration", {"LifecycleConfiguration": _LIFECYCLE}),
    ("GetBucketLifecycleConfiguration", {}),
    ("DeleteBucketLifecycle", {}),
)
_NEXT: dict[str, dict[str, str]] = {
    "ListObjects": {"Marker": "NextMarker"},
    "ListObjectsV2": {"ContinuationToken": "NextContinuationToken"},
    "ListObjectVersions": {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"},
    "ListMultipartUploads": {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"},
}
"""How the next page is asked for: parameter and the member of the answer before."""
_KEY_MARKERS = {"KeyMarker", "Marker"}
_PAGES = 60


class BucketRules(Machine):
    """Mixed into the machine."""

    @rule(
        operation=st.sampled_from(("ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads")),
        bucket=NUMBERS,
        prefix=st.sampled_from(PREFIXES),
        delimiter=NUMBERS,
        size=st.sampled_from(PAGE_SIZES),
        after=st.one_of(st.none(), st.none(), NUMBERS),
    )
    def list_pages(
        self, operation: str, bucket: int, prefix: str, delimiter: int, size: int | None, after: int | None
    ) -> None:
        """All pages."""
        if not self.has(operation):
            return
        limit = "MaxUploads" if operation == "ListMultipartUploads" else "MaxKeys"
        start = {"ListObjects": "Marker", "ListObjectsV2": "StartAfter"}.get(operation, "KeyMarker")
        delimiters = self.profile.delimiters
        asked: Members = {
            "Bucket": self.buckets[bucket % 2],
            "EncodingType": "url",
            "Prefix": prefix or None,
            "Delimiter": delimiters[delimiter % len(delimiters)] or None,
            limit: size,
            start: self.profile.keys[after % len(self.profile.keys)] if after is not None else None,
        }
        asked = self.asked(asked)
        for _ in range(_PAGES):
            found = self.send(operation, asked)
            if not found.members.get("IsTruncated"):
                return
            asked |= self._next(operation, found.members)
        raise AssertionError(f"{operation} {asked} does not come to an end")

    def _next(self, operation: str, members: Members) -> Members:
        asked: Members = {}
        for name, source in _NEXT[operation].items():
            value: Any = members.get(source)
            if value is None and operation == "ListObjects":  # without a delimiter
                value = members["Contents"][-1]["Key"]
            asked[name] = value if name in _KEY_MARKERS or not value else Id(value, self.pairs.found(value))
        return asked

    @precondition(lambda self: self.has("versions"))
    @rule(bucket=NUMBERS, status=st.sampled_from(("Enabled", "Enabled", "Suspended")))
    def set_versioning(self, bucket: int, status: str) -> None:
        if status == "Suspended" and not self.has("suspended"):
            return
        where = {"Bucket": self.buckets[bucket % 2]}
        self.send("PutBucketVersioning", {**where, "VersioningConfiguration": {"Status": status}})
        self.send("GetBucketVersioning", where)

    @precondition(lambda self: self.has("configurations"))
    @rule(bucket=NUMBERS, which=st.sampled_from(_CONFIGURATIONS))
    def configure(self, bucket: int, which: tuple[str, Members]) -> None:
        operation, members = which
        self.send(operation, {"Bucket": self.buckets[bucket % 2], **members})

    @precondition(lambda self: self.has("buckets"))
    @rule(bucket=NUMBERS)
    def delete_bucket(self, bucket: int) -> None:
        """It comes again, so that something goes on happening."""
        where = {"Bucket": self.buckets[bucket % 2]}
        self.send("DeleteBucket", where)
        self.send("HeadBucket", where)
        self.send("CreateBucket", where)

    @precondition(lambda self: self.has("buckets"))
    @rule(size=st.sampled_from((None, 1, 2)))
    def list_buckets(self, size: int | None) -> None:
        asked: Members = {"Prefix": self.run_id, "MaxBuckets": size}
        token = self.send("ListBuckets", asked).members.get("ContinuationToken")
        if token:
            self.send("ListBuckets", {**asked, "ContinuationToken": Id(token, self.pairs.found(token))})
