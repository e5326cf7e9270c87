"""Presigned URLs, browser forms, virtual hosts, and requests that are wrong or unknown."""

from __future__ import annotations

from e2e.differential.library import PLAIN
from e2e.differential.reads import PLAIN_ETAG
from e2e.differential.scenario import Scenario, Step, arrange, change

PRESIGNED_READS = {
    "plain": ("/{library}/plain", {}),
    "missing": ("/{library}/none", {}),
    "odd-key": ("/{library}/odd/sp%20ace", {}),
    "emoji": ("/{library}/odd/%F0%9F%98%80", {}),
    "plus": ("/{library}/odd/pl%2Bus", {}),
    "range": ("/{library}/plain", {"Range": "bytes=1-3"}),
    "if-none-match": ("/{library}/plain", {"If-None-Match": PLAIN_ETAG}),
    "override": ("/{library}/plain?response-content-type=text/csv&response-cache-control=no-cache", {}),
    "override-escaped": ("/{library}/plain?response-content-disposition=attachment%3B%20filename%3D%22a%20b%22", {}),
    "version": ("/{versions}/doc?versionId={v1}", {}),
    "part": ("/{library}/parts?partNumber=2", {}),
    "tagging": ("/{library}/tagged?tagging", {}),
    "acl": ("/{library}/plain?acl", {}),
    "list": ("/{library}?prefix=dir", {}),
    "list-2": ("/{library}?list-type=2&prefix=dir&delimiter=i", {}),
    "uploads": ("/{library}?uploads", {}),
    "buckets": ("/", {}),
}

WRONG = {
    "unknown-subresource": ("GET", "/{library}?nonsense", {}, b""),
    "unknown-subresource-put": ("PUT", "/{bucket}?nonsense", {}, b"x"),
    "unknown-object-subresource": ("PUT", "/{bucket}/{key}?nonsense", {}, b"x"),
    "unknown-object-post": ("POST", "/{bucket}/{key}?nonsense", {}, b"x"),
    "post-object": ("POST", "/{bucket}/{key}", {}, b"x"),
    "post-bucket": ("POST", "/{bucket}", {}, b"x"),
    "post-root": ("POST", "/", {}, b"x"),
    "put-root": ("PUT", "/", {}, b"x"),
    "delete-root": ("DELETE", "/", {}, b""),
    "patch": ("PATCH", "/{bucket}/{key}", {}, b"x"),
    "copy-method": ("COPY", "/{bucket}/{key}", {}, b""),
    "propfind": ("PROPFIND", "/{bucket}/", {}, b""),
    "two-subresources": ("GET", "/{library}?acl&tagging", {}, b""),
    "two-versions": ("GET", "/{library}/plain?versionId=a&versionId=b", {}, b""),
    "subresource-with-value": ("GET", "/{library}?acl=1", {}, b""),
    "upper-case-subresource": ("GET", "/{library}?ACL", {}, b""),
    "get-with-body": ("GET", "/{library}/plain", {"Content-Length": "4"}, b"body"),
    "delete-with-body": ("DELETE", "/{bucket}/{key}", {"Content-Length": "4"}, b"body"),
    "bad-bucket-name": ("GET", "/a", {}, b""),
    "bucket-with-space": ("GET", "/sp%20ace", {}, b""),
    "double-slash-root": ("GET", "//", {}, b""),
    "header-empty": ("GET", "/{library}/plain", {"Range": ""}, b""),
    "copy-source-with-body": ("PUT", "/{bucket}/{key}", {"x-amz-copy-source": "{library}/plain"}, b"x"),
    "long-query": ("GET", "/{library}?prefix=" + "a" * 2000, {}, b""),
    "query-encoded-name": ("GET", "/{library}?%70refix=dir", {}, b""),
    "query-plus": ("GET", "/{library}?prefix=odd/sp+ace", {}, b""),
    "query-reserved": ("GET", "/{library}?prefix=dir/&delimiter=/", {}, b""),
}

VIRTUAL = {
    "get": "/{library}/plain",
    "head-like-range": "/{library}/big",
    "list": "/{library}/?list-type=2&prefix=dir",
    "location": "/{library}/?location",
    "odd": "/{library}/odd/sp%20ace",
    "double-slash": "/{library}/odd/a//b",
    "leading-slash": "/{library}//lead",
    "missing": "/{library}/none",
    "no-bucket": "/s3d-no-such-bucket/x",
}


def scenarios() -> list[Scenario]:
    return [*_presigned(), *_forms(), *_wrong(), *_virtual()]


def _presigned() -> list[Scenario]:
    found = []
    for auth in ("query-v4", "query-v2"):
        for name, (target, headers) in PRESIGNED_READS.items():
            step = Step("GET", target, headers, auth=auth)
            found.append(Scenario(f"{auth}-get-{name}", (step,), shared=True))
        head = Step("HEAD", "/{library}/plain", auth=auth)
        put = Step("PUT", "/{bucket}/{key}", {}, PLAIN, auth=auth)
        typed = Step("PUT", "/{bucket}/{key}", {"Content-Type": "a/b", "x-amz-meta-m": "1"}, PLAIN, auth=auth)
        existing = arrange("PUT", "/{bucket}/{key}", {}, PLAIN)
        document = b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
        found += [
            Scenario(f"{auth}-head", (head,), shared=True),
            change(f"{auth}-put", put, Step("GET", "/{bucket}/{key}")),
            change(f"{auth}-put-headers", typed, Step("HEAD", "/{bucket}/{key}")),
            change(f"{auth}-put-empty", Step("PUT", "/{bucket}/{key}", auth=auth), Step("HEAD", "/{bucket}/{key}")),
            change(
                f"{auth}-delete",
                existing,
                Step("DELETE", "/{bucket}/{key}", auth=auth),
                Step("HEAD", "/{bucket}/{key}"),
            ),
            change(
                f"{auth}-tag",
                existing,
                Step("PUT", "/{bucket}/{key}?tagging", {}, document, auth=auth),
                Step("GET", "/{bucket}/{key}?tagging"),
            ),
            change(
                f"{auth}-multipart",
                Step("POST", "/{bucket}/{key}?uploads", auth=auth, save={"upload": "<UploadId>([^<]+)<"}),
                Step("PUT", "/{bucket}/{key}?partNumber=1&uploadId={upload}", {}, PLAIN, auth=auth),
                Step("DELETE", "/{bucket}/{key}?uploadId={upload}", auth=auth),
            ),
        ]
    query_header = Step(
        "PUT", "/{bucket}/{key}?x-amz-meta-q=1&x-amz-storage-class=STANDARD_IA", {}, PLAIN, auth="query-v4"
    )
    found.append(change("query-v4-header-in-query", query_header, Step("HEAD", "/{bucket}/{key}")))
    return found


def _forms() -> list[Scenario]:
    cases: dict[str, dict[str, str]] = {
        "bare": {},
        "type": {"Content-Type": "image/png", "x-amz-meta-a": "1"},
        "status-201": {"success_action_status": "201"},
        "status-200": {"success_action_status": "200"},
        "redirect": {"success_action_redirect": "http://example.com/done?x=1"},
    }
    return [
        change(
            f"form-{name}",
            Step("POST", "/{bucket}", {}, PLAIN, form={"key": "{key}", **fields}, auth="none"),
            Step("GET", "/{bucket}/{key}"),
        )
        for name, fields in cases.items()
    ]


def _wrong() -> list[Scenario]:
    return [
        Scenario(f"wrong-{name}", (Step(method, target, headers, body),), shared="{bucket}" not in target)
        for name, (method, target, headers, body) in WRONG.items()
    ]


def _virtual() -> list[Scenario]:
    return [
        Scenario(f"virtual-{name}", (Step("GET", target, virtual_host=True),), shared=True)
        for name, target in VIRTUAL.items()
    ]
