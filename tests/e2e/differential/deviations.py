"""Where an answer through s3d may differ from the remote's own, and why.

The test demands each recorded difference exactly: one that is gone must be taken out of here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

Difference = tuple[str, str] | str
"""Either the two answers, direct and through s3d, as `summary` writes them (``404 NoSuchKey``), or the names of the
parts that differ, with a space between (``header:content-encoding``)."""


@dataclass(frozen=True)
class Deviation:
    remotes: str
    """Their names with spaces between."""
    scenarios: str
    """Shell patterns with spaces between."""
    steps: Mapping[int, Difference]
    reason: str

    def covers(self, remote: str, scenario: str) -> bool:
        return remote in self.remotes.split() and any(fnmatchcase(scenario, p) for p in self.scenarios.split())


REFUSED_HERE = "s3d verifies every declared digest itself and says so with S3's sentence; "
STORED_THERE = REFUSED_HERE + "this remote does not look and stores the body"
SAID_OTHERWISE = REFUSED_HERE + "the remote's differs"
REENCODED = (
    "the remote refuses a signature over a target that is not in canonical encoding; s3d takes it and sends the same "
    "bytes in canonical encoding"
)
UNSIGNED_PARAMETERS = (
    "SeaweedFS's Signature Version 2 leaves response-* and tagging out of what is signed, where AWS's has them; s3d signs "
    "with Version 4"
)
FORM = (
    "a browser's form goes to the remote as a PutObject: s3d writes the answer to the form, as S3 does, and the remote "
    "chooses the type of an object that came without one as it does for PutObject"
)
IN_QUERY = "S3 reads x-amz-* parameters of a presigned URL as headers, this remote does not; s3d sends them as headers"
SIGNED_HERE = (
    "s3d signs in headers what was signed in the query, and moto stores the header with the digest as the object's"
)
EMPTY_BUCKET = "s3d refuses an empty bucket name in front of a slash, which others take for none or for a key"
OWN_ADDRESS = "the answer to a form has the address of the object, at the server that the form was sent to"
RESOURCE = "the path of the request is in the error; s3d sends /bucket for /bucket/, which name the same"
ADDED = "header:etag header:last-modified header:location"
NOT_STORED = {0: ("200", "400 BadDigest"), 1: ("200", "404 NoSuchKey"), 2: ("200", "404")}

DEVIATIONS: list[Deviation] = [
    Deviation(
        "moto", "query-v4-put query-v4-put-headers query-v4-put-empty", {1: "header:x-amz-content-sha256"}, SIGNED_HERE
    ),
    Deviation("seaweedfs", "query-v4-header-in-query", {1: "header:x-amz-meta-q header:x-amz-storage-class"}, IN_QUERY),
    Deviation(
        "moto",
        "query-v4-header-in-query",
        {
            0: "header:x-amz-storage-class",
            1: "header:x-amz-content-sha256 header:x-amz-storage-class",
        },
        f"{IN_QUERY}; {SIGNED_HERE}",
    ),
    Deviation("moto", "put-md5-wrong put-crc32-wrong put-sha256-wrong body-trailer-wrong", NOT_STORED, STORED_THERE),
    Deviation("moto", "put-md5-malformed", {**NOT_STORED, 0: ("200", "400 InvalidDigest")}, STORED_THERE),
    Deviation("moto", "put-crc32-malformed", {**NOT_STORED, 0: ("200", "400 InvalidRequest")}, STORED_THERE),
    Deviation(
        "seaweedfs moto", "body-hash-wrong", {**NOT_STORED, 0: ("200", "400 XAmzContentSHA256Mismatch")}, STORED_THERE
    ),
    Deviation("seaweedfs moto", "delete-many-wrong-md5", {0: ("200", "400 BadDigest")}, STORED_THERE),
    Deviation("moto", "part-wrong-md5", {1: ("200", "400 BadDigest")}, STORED_THERE),
    Deviation("seaweedfs", "part-wrong-md5", {1: ("400 BadDigest", "400 BadDigest")}, SAID_OTHERWISE),
    Deviation(
        "seaweedfs",
        "put-md5-wrong put-crc32-wrong put-sha256-wrong",
        {0: ("400 BadDigest", "400 BadDigest")},
        SAID_OTHERWISE,
    ),
    Deviation("seaweedfs", "put-md5-malformed", {0: ("400 InvalidDigest", "400 InvalidDigest")}, SAID_OTHERWISE),
    Deviation("seaweedfs", "put-crc32-malformed", {0: ("400 BadDigest", "400 InvalidRequest")}, SAID_OTHERWISE),
    Deviation("seaweedfs", "body-trailer-wrong", {0: ("400 IncompleteBody", "400 BadDigest")}, SAID_OTHERWISE),
    Deviation(
        "moto",
        "body-trailer body-trailer-gzip",
        {1: "header:x-amz-content-sha256", 2: "header:x-amz-content-sha256"},
        "moto stores the header that says how the body was sent; s3d never sends aws-chunked",
    ),
    Deviation(
        "seaweedfs",
        "body-trailer body-trailer-gzip",
        {1: "header:content-encoding", 2: "header:content-encoding"},
        "SeaweedFS stores aws-chunked as part of Content-Encoding, S3 does not; s3d never sends it",
    ),
    Deviation("seaweedfs", "get-override-plus-is-space", {0: ("403 SignatureDoesNotMatch", "200")}, REENCODED),
    Deviation("seaweedfs", "head-override-plus-is-space", {0: ("403", "200")}, REENCODED),
    Deviation(
        "seaweedfs",
        "get-odd-unnecessary-escapes get-odd-lower-case-escapes",
        {0: ("403 SignatureDoesNotMatch", "404 NoSuchKey")},
        REENCODED,
    ),
    Deviation("seaweedfs", "head-odd-unnecessary-escapes head-odd-lower-case-escapes", {0: ("403", "404")}, REENCODED),
    Deviation(
        "seaweedfs",
        "put-odd-unnecessary-escapes put-odd-lower-case-escapes",
        {
            0: ("403 SignatureDoesNotMatch", "200"),
            1: ("403 SignatureDoesNotMatch", "200"),
            2: ("403 SignatureDoesNotMatch", "204"),
        },
        REENCODED,
    ),
    Deviation(
        "seaweedfs",
        "wrong-query-encoded-name wrong-query-plus wrong-query-reserved",
        {0: ("403 SignatureDoesNotMatch", "200")},
        REENCODED,
    ),
    Deviation(
        "seaweedfs",
        "query-v2-get-override query-v2-get-override-escaped query-v2-get-tagging",
        {0: ("403 SignatureDoesNotMatch", "200")},
        UNSIGNED_PARAMETERS,
    ),
    Deviation("seaweedfs", "query-v2-tag", {1: ("403 SignatureDoesNotMatch", "200"), 2: "body"}, UNSIGNED_PARAMETERS),
    Deviation(
        "moto",
        "query-v2-put query-v2-put-headers query-v2-put-empty",
        {1: "header:expires header:x-amz-content-sha256"},
        f"moto takes the Expires of the signature for the object's header of that name; s3d takes it off; {SIGNED_HERE}",
    ),
    Deviation("seaweedfs", "form-bare form-status-200", {0: "header:location", 1: "header:content-type"}, FORM),
    Deviation("seaweedfs", "form-type", {0: "header:location"}, FORM),
    Deviation("seaweedfs", "form-status-201", {0: "header:location body", 1: "header:content-type"}, FORM),
    Deviation("seaweedfs", "form-redirect", {0: "header:location header:etag", 1: "header:content-type"}, FORM),
    Deviation(
        "moto",
        "form-bare form-type",
        {0: f"reason header:content-type {ADDED}", 1: "header:x-amz-content-sha256"},
        FORM,
    ),
    Deviation(
        "moto",
        "form-status-201",
        {0: f"reason body header:content-type {ADDED}", 1: "header:x-amz-content-sha256"},
        FORM,
    ),
    Deviation(
        "moto",
        "form-status-200",
        {0: f"header:content-type {ADDED}", 1: "header:x-amz-content-sha256"},
        FORM,
    ),
    Deviation(
        "moto",
        "form-redirect",
        {0: f"reason header:content-type {ADDED}", 1: "header:x-amz-content-sha256"},
        FORM,
    ),
    Deviation("standalone", "form-bare form-type form-status-200", {0: "header:location"}, OWN_ADDRESS),
    Deviation("standalone", "form-status-201", {0: "header:location body"}, OWN_ADDRESS),
    Deviation("standalone", "wrong-propfind", {0: "body"}, RESOURCE),
    Deviation(
        "seaweedfs",
        "wrong-propfind",
        {0: "body"},
        RESOURCE,
    ),
    Deviation(
        "seaweedfs", "wrong-double-slash-root", {0: ("405 MethodNotAllowed", "400 InvalidBucketName")}, EMPTY_BUCKET
    ),
    Deviation("moto", "wrong-double-slash-root", {0: ("200", "400 InvalidBucketName")}, EMPTY_BUCKET),
]


def expected(remote: str, scenario: str, step: int) -> tuple[Difference, str] | None:
    """The difference recorded for this step, with its reason."""
    for entry in DEVIATIONS:
        if step in entry.steps and entry.covers(remote, scenario):
            return entry.steps[step], entry.reason
    return None
