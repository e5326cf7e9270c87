"""Reads of one object: GetObject, HeadObject, its tags, ACL, attributes, retention, legal hold, torrent."""

from __future__ import annotations

import hashlib

from e2e.differential.library import ODD_KEYS, PLAIN, md5
from e2e.differential.scenario import Scenario, read

ETAG = '"1f2a1dcdd9af5a3a1a9ab6fb3e7ea0d8"'
PLAIN_ETAG = f'"{hashlib.md5(PLAIN).hexdigest()}"'
LONG_AGO, FAR_AHEAD = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2038 00:00:00 GMT"
SSE_C = {
    "x-amz-server-side-encryption-customer-algorithm": "AES256",
    "x-amz-server-side-encryption-customer-key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "x-amz-server-side-encryption-customer-key-MD5": md5(b"01234567890123456789012345678901"),
}

KEYS = [
    "plain",
    "empty",
    "described",
    "tagged",
    "summed",
    "metadata-utf8",
    "dir/sub/d",
    "parts",
    "no-such-key",
    "dir",
    "dir/",
]

RANGES = {
    "first": "bytes=0-4",
    "one": "bytes=3-3",
    "open": "bytes=5-",
    "suffix": "bytes=-5",
    "suffix-too-long": "bytes=-500",
    "suffix-zero": "bytes=-0",
    "past-end": "bytes=10-500",
    "after-end": "bytes=20-30",
    "far": "bytes=1000-2000",
    "reversed": "bytes=5-2",
    "several": "bytes=0-1,3-4",
    "malformed": "bytes=a-b",
    "unit": "items=0-1",
    "spaces": "bytes= 0-4",
    "huge": "bytes=0-99999999999999999999999",
}

CONDITIONS: dict[str, dict[str, str]] = {
    "if-match": {"If-Match": PLAIN_ETAG},
    "if-match-bare": {"If-Match": PLAIN_ETAG.strip('"')},
    "if-match-star": {"If-Match": "*"},
    "if-match-list": {"If-Match": f'"x", {PLAIN_ETAG}'},
    "if-match-fails": {"If-Match": ETAG},
    "if-none-match": {"If-None-Match": PLAIN_ETAG},
    "if-none-match-weak": {"If-None-Match": f"W/{PLAIN_ETAG}"},
    "if-none-match-star": {"If-None-Match": "*"},
    "if-none-match-holds": {"If-None-Match": ETAG},
    "modified-since": {"If-Modified-Since": LONG_AGO},
    "modified-since-fails": {"If-Modified-Since": FAR_AHEAD},
    "modified-since-exact": {"If-Modified-Since": "{modified}"},
    "unmodified-since": {"If-Unmodified-Since": FAR_AHEAD},
    "unmodified-since-fails": {"If-Unmodified-Since": LONG_AGO},
    "unmodified-since-exact": {"If-Unmodified-Since": "{modified}"},
    "bad-date": {"If-Modified-Since": "yesterday"},
    "match-and-unmodified": {"If-Match": PLAIN_ETAG, "If-Unmodified-Since": LONG_AGO},
    "none-match-and-modified": {"If-None-Match": PLAIN_ETAG, "If-Modified-Since": LONG_AGO},
    "if-match-and-range": {"If-Match": PLAIN_ETAG, "Range": "bytes=2-3"},
    "if-match-fails-and-range": {"If-Match": ETAG, "Range": "bytes=2-3"},
    "if-range": {"If-Range": PLAIN_ETAG, "Range": "bytes=2-3"},
    "if-range-fails": {"If-Range": ETAG, "Range": "bytes=2-3"},
}

OVERRIDES = {
    "type": "response-content-type=text%2Fcsv",
    "type-charset": "response-content-type=text%2Fcsv%3B%20charset%3Dutf-8",
    "disposition": "response-content-disposition=attachment%3B%20filename%3D%22x%20y.txt%22",
    "disposition-utf8": "response-content-disposition=attachment%3B%20filename%2A%3DUTF-8%27%27%25C3%25BC",
    "all": "response-content-type=a%2Fb&response-content-language=fr"
    "&response-expires=Thu%2C%2001%20Dec%201994%2016%3A00%3A00%20GMT"
    "&response-cache-control=no-cache&response-content-disposition=inline&response-content-encoding=identity",
    "plus-is-space": "response-content-disposition=a+b",
    "empty": "response-content-type=",
}

OTHER_TARGETS = {
    "part-1": "/{library}/parts?partNumber=1",
    "part-2": "/{library}/parts?partNumber=2",
    "part-3": "/{library}/parts?partNumber=3",
    "part-of-plain": "/{library}/plain?partNumber=1",
    "part-bad": "/{library}/plain?partNumber=x",
    "version-null": "/{library}/plain?versionId=null",
    "version-unknown": "/{library}/plain?versionId=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "version-empty": "/{library}/plain?versionId=",
    "version-1": "/{versions}/doc?versionId={v1}",
    "version-2": "/{versions}/doc?versionId={v2}",
    "version-latest": "/{versions}/doc",
    "version-deleted": "/{versions}/gone",
    "version-marker": "/{versions}/gone?versionId={marker}",
    "leading-slash": "/{library}//lead",
    "only-slashes": "/{library}//",
    "x-id": "/{library}/plain?x-id=GetObject",
    "unknown-parameter": "/{library}/plain?foo=bar",
    "unknown-flag": "/{library}/plain?foo",
    "no-bucket": "/s3d-no-such-bucket/plain",
    "bad-bucket": "/No_Such..Bucket/plain",
}

SUBRESOURCES = {
    "tagging": ["tagged", "plain", "no-such-key"],
    "acl": ["plain", "no-such-key"],
    "retention": ["plain"],
    "legal-hold": ["plain", "no-such-key"],
    "torrent": ["plain"],
    "annotation": ["plain"],
}

ATTRIBUTES = {
    "all": "ETag,Checksum,ObjectParts,StorageClass,ObjectSize",
    "one": "ETag",
    "spaces": "ETag, ObjectSize",
    "unknown": "Nonsense",
    "none": "",
}


def scenarios() -> list[Scenario]:
    found = []
    for method in ("GET", "HEAD"):
        name = method.lower()
        found += [read(f"{name}-{key}", f"/{{library}}/{key}", method=method) for key in KEYS]
        found += [read(f"{name}-range-{k}", "/{library}/plain", {"Range": v}, method=method) for k, v in RANGES.items()]
        found += [read(f"{name}-{k}", "/{library}/plain", v, method=method) for k, v in CONDITIONS.items()]
        found += [read(f"{name}-override-{k}", f"/{{library}}/plain?{v}", method=method) for k, v in OVERRIDES.items()]
        found += [read(f"{name}-{k}", v, method=method) for k, v in OTHER_TARGETS.items()]
        found += [read(f"{name}-odd-{k}", f"/{{library}}/odd/{v}", method=method) for k, v in ODD_KEYS.items()]
        found += [
            read(f"{name}-range-empty", "/{library}/empty", {"Range": "bytes=0-0"}, method=method),
            read(f"{name}-range-big", "/{library}/big", {"Range": "bytes=100-200000"}, method=method),
            read(f"{name}-range-parts", "/{library}/parts", {"Range": "bytes=5242870-5242890"}, method=method),
            read(f"{name}-checksum-mode", "/{library}/summed", {"x-amz-checksum-mode": "ENABLED"}, method=method),
            read(f"{name}-sse-c-on-plain", "/{library}/plain", SSE_C, method=method),
            read(f"{name}-request-payer", "/{library}/plain", {"x-amz-request-payer": "requester"}, method=method),
            read(
                f"{name}-expected-owner", "/{library}/plain", {"x-amz-expected-bucket-owner": "1" * 12}, method=method
            ),
            read(f"{name}-origin", "/{library}/plain", {"Origin": "http://example.com"}, method=method),
            read(f"{name}-accept-gzip", "/{library}/plain", {"Accept-Encoding": "gzip, deflate"}, method=method),
            read(f"{name}-user-agent", "/{library}/plain", {"User-Agent": "x/1", "Accept": "*/*"}, method=method),
        ]
    found.append(read("get-big", "/{library}/big"))
    for sub, keys in SUBRESOURCES.items():
        found += [read(f"get-{sub}-{key}", f"/{{library}}/{key}?{sub}") for key in keys]
    for name, value in ATTRIBUTES.items():
        found.append(read(f"attributes-{name}", "/{library}/plain?attributes", {"x-amz-object-attributes": value}))
    found += [
        read("attributes-parts", "/{library}/parts?attributes", {"x-amz-object-attributes": "ObjectParts,ObjectSize"}),
        read("attributes-missing-key", "/{library}/none?attributes", {"x-amz-object-attributes": "ETag"}),
        read("attributes-without-header", "/{library}/plain?attributes"),
        read("tagging-of-version", "/{versions}/doc?tagging&versionId={v1}"),
        read("acl-of-version", "/{versions}/doc?acl&versionId={v1}"),
        read(
            "cors-preflight",
            "/{library}/plain",
            {"Origin": "http://a", "Access-Control-Request-Method": "GET"},
            method="OPTIONS",
            auth="none",
        ),
        read("object-options-bare", "/{library}/plain", method="OPTIONS", auth="none"),
    ]
    return found
