"""Where a real peer is not S3: by backend, the capability that it lacks and what it does instead (all measured).

A test says with ``@pytest.mark.capability("name")`` what it needs. For a backend that has the name here the test must
*fail*: one that passes means that the peer has learnt it, and the line must go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

_NOT_VERIFIED = "moto stores a body whatever digest was declared; behind s3d's server the server refuses it"
_LENGTH_ONLY = "moto checks the length of a bucket name only"
_DOTS = "SeaweedFS refuses . and .. as path segments: 400 InvalidRequest"

_SEAWEEDFS = {
    "alike:dot": _DOTS,
    "alike:dot-dot": _DOTS,
    "alike:slashes": "SeaweedFS takes a//b for a/b",
    "alike:trailing": "SeaweedFS has one file system entry for a and a/",
    "attributes_checksum": "SeaweedFS leaves Checksum out of the attributes",
    "bad_encoding_type": "SeaweedFS ignores an unknown encoding-type",
    "bad_token": "SeaweedFS takes any text for a continuation token",
    "bucket_not_empty": "SeaweedFS deletes a bucket with objects in it",
    "complete_without_parts": "SeaweedFS says NoSuchUpload",
    "copy_etag": "SeaweedFS writes the ETag of a copy without quotes",
    "default_content_type": "SeaweedFS guesses a Content-Type from the body",
    "delete_limit": "SeaweedFS says InvalidArgument",
    "if_match_on_put_of_nothing": "SeaweedFS says 412 where S3 says 404",
    "key:backslash": "SeaweedFS takes a backslash for a slash",
    "key:dot": _DOTS,
    "key:dot-dot": _DOTS,
    "key:dot-dot-first": _DOTS,
    "key:double-slash": "SeaweedFS collapses // to /",
    "key:leading-slash": "SeaweedFS drops a leading slash",
    "key:long": "SeaweedFS has 255 bytes for a path segment: KeyTooLongError",
    "key:only-dot-dot": _DOTS,
    "key:trailing-slash": "SeaweedFS makes a directory of it and drops the body",
    "key:trailing-slashes": "SeaweedFS makes a directory of it and drops the body",
    "malformed_md5:too-short": "SeaweedFS says BadDigest",
    "max_keys_clamped": "SeaweedFS repeats the max-keys that was asked for",
    "metadata_limit": "SeaweedFS has no limit for metadata",
    "missing_bucket_created": "SeaweedFS creates the bucket of a PutObject",
    "missing_part": "SeaweedFS says EntityTooSmall first",
    "no_range:bytes=5-2": "SeaweedFS says InvalidRange",
    "no_range:bytes=a-b": "SeaweedFS says InvalidRange",
    "part_number_0": "SeaweedFS says InvalidPart",
    "part_number_10001": "SeaweedFS says InvalidPart",
    "part_copy_etag": "SeaweedFS gives the ETag of the whole source to a part copied from a range",
    "range_of_a_head": "SeaweedFS answers a HEAD with Range as one without",
    "stale_part_etag": "SeaweedFS completes with a part that was replaced",
    "tags:twice": "SeaweedFS takes the last of two tags with one key",
    "upload_order": "SeaweedFS lists uploads in the order of a hash",
    "upload_pages": "SeaweedFS leaves out NextKeyMarker",
    "uploads_after_key": "SeaweedFS ignores key-marker in its order",
    "uploads_delimiter": "SeaweedFS ignores the delimiter of ListMultipartUploads",
}

_MOTO = {
    "attributes_checksum": "moto leaves Checksum out of the attributes",
    "bad_encoding_type": "moto ignores an unknown encoding-type",
    "bad_token": "moto fails with 500",
    "bucket_name:-hyphen": _LENGTH_ONLY,
    "bucket_name:192.168.5.4": _LENGTH_ONLY,
    "bucket_name:A-Capital": _LENGTH_ONLY,
    "bucket_name:two..dots": _LENGTH_ONLY,
    "bucket_name:under_score": _LENGTH_ONLY,
    "bucket_order": "moto lists buckets as they were created",
    "checksum_kept": "moto leaves checksums out of the answer to PutObject",
    "checksum_verified": _NOT_VERIFIED,
    "copy:if-match-fails": "moto does not know this condition",
    "copy:modified-since-fails": "moto does not know this condition",
    "copy:unmodified-since-fails": "moto does not know this condition",
    "delete_limit": "moto has no limit for DeleteObjects",
    "delete_quietly": "moto does not know Quiet",
    "key:control": "moto writes control characters into the XML of an error, which is no XML then",
    "key:line": "moto's routes do not match a line break",
    "key_length": "moto has no limit for keys",
    "malformed_md5:empty": _NOT_VERIFIED,
    "malformed_md5:no-base64": _NOT_VERIFIED,
    "malformed_md5:too-short": _NOT_VERIFIED,
    "max_keys_clamped": "moto repeats the max-keys that was asked for",
    "md5_verified": _NOT_VERIFIED,
    "metadata_limit": "moto has no limit for metadata",
    "multipart_attributes": "moto leaves ObjectParts out of the attributes",
    "multipart_checksum": "moto leaves checksums out of the answer to UploadPart",
    "no_range:items=0-1": "moto does not look at the unit",
    "of_nothing:DeleteObjectTagging": "moto fails with 500",
    "override:HeadObject": "moto does not know response-* of HEAD",
    "pages_with_a_delimiter": "moto repeats the common prefixes on every page of version 1",
    "part_copy_of_nothing": "moto says 404 without a code",
    "part_number_0": "moto says NoSuchUpload",
    "part_outside": "moto answers with the whole object",
    "part_order": "moto says EntityTooSmall first",
    "parts_count": "moto leaves out x-amz-mp-parts-count",
    "read_fails:if-none-match-list": "moto compares the whole header with one ETag",
    "read_fails:if-none-match-star": "moto does not know If-None-Match: *",
    "read_holds:if-match-overrules-unmodified-since": "moto looks at every condition by itself",
    "read_holds:if-match-star": "moto does not know If-Match: *",
    "read_holds:if-none-match-overrules-modified-since": "moto looks at every condition by itself",
    "says_start:ListObjects": "moto leaves out Marker",
    "tags:twice": "moto takes the last of two tags with one key",
    "unknown_upload:CompleteMultipartUpload": "moto fails with 500",
    "unknown_upload:UploadPart": "moto fails with 500",
    "upload_order": "moto lists uploads as they were created",
    "uploads_after_key": "moto ignores key-marker",
    "uploads_delimiter": "moto ignores the delimiter of ListMultipartUploads",
}

CAPABILITIES: dict[str, dict[str, str]] = {
    "memory": {},
    "stack": {},
    "standalone": {},
    "standalone-stack": {},
    "remote-seaweedfs": _SEAWEEDFS,
    "remote-moto": _MOTO,
}
PEERS = {"remote-seaweedfs": "seaweedfs", "remote-moto": "moto"}
"""The fixture that starts the server behind a backend."""


def cases(capability: str, names: Iterable[str]) -> list[Any]:
    """Parameters of a test, each with a capability of its own: ``capability:name``."""
    return [pytest.param(name, id=name, marks=pytest.mark.capability(f"{capability}:{name}")) for name in names]
