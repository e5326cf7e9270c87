"""Writes of one object and of many: put, copy, delete, tags, ACL, lock; with every kind of declared digest."""

from __future__ import annotations

import base64
import hashlib
import zlib

from e2e.differential.library import ODD_KEYS, PLAIN, md5, sha256
from e2e.differential.reads import ETAG, FAR_AHEAD, LONG_AGO, PLAIN_ETAG, SSE_C
from e2e.differential.scenario import Scenario, Step, arrange, change
from e2e.differential.sender import TRAILER, UNSIGNED

CRC32 = base64.b64encode(zlib.crc32(PLAIN).to_bytes(4, "big")).decode()
WRONG_CRC32 = "AAAAAA=="
SHA1 = base64.b64encode(hashlib.sha1(PLAIN).digest()).decode()

PUT_HEADERS: dict[str, dict[str, str]] = {
    "bare": {},
    "type": {"Content-Type": "image/png"},
    "type-odd": {"Content-Type": "Text/HTML;Charset=UTF-8"},
    "metadata": {"x-amz-meta-a": "1", "X-Amz-Meta-B": "Two", "x-amz-meta-empty": "", "x-amz-meta-spaces": "a  b   c"},
    "metadata-utf8": {"x-amz-meta-name": "\u00fcber"},
    "metadata-large": {"x-amz-meta-large": "v" * 1900},
    "system": {
        "Cache-Control": "no-store",
        "Content-Disposition": "inline",
        "Content-Language": "en",
        "Expires": FAR_AHEAD,
    },
    "encoding": {"Content-Encoding": "gzip"},
    "encoding-two": {"Content-Encoding": "gzip, br"},
    "tagging": {"x-amz-tagging": "a=1&b=x%20y&c"},
    "tagging-bad": {"x-amz-tagging": "a=1&a=2"},
    "tagging-long-key": {"x-amz-tagging": "k" * 129 + "=1"},
    "storage-class": {"x-amz-storage-class": "STANDARD_IA"},
    "storage-class-bad": {"x-amz-storage-class": "NONSENSE"},
    "acl": {"x-amz-acl": "public-read"},
    "acl-bad": {"x-amz-acl": "nonsense"},
    "redirect": {"x-amz-website-redirect-location": "/other"},
    "sse-s3": {"x-amz-server-side-encryption": "AES256"},
    "sse-bad": {"x-amz-server-side-encryption": "ROT13"},
    "sse-c-bad-md5": {**SSE_C, "x-amz-server-side-encryption-customer-key-MD5": md5(b"other")},
    "lock-without-configuration": {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": "2038-01-01T00:00:00Z",
    },
    "owner": {"x-amz-expected-bucket-owner": "1" * 12},
    "md5": {"Content-MD5": md5(PLAIN)},
    "crc32": {"x-amz-checksum-crc32": CRC32},
    "crc32-named": {"x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-checksum-crc32": CRC32},
    "sha1": {"x-amz-checksum-sha1": SHA1},
    "sha256": {"x-amz-checksum-sha256": sha256(PLAIN)},
    "md5-wrong": {"Content-MD5": md5(b"other")},
    "md5-malformed": {"Content-MD5": "xyz"},
    "crc32-wrong": {"x-amz-checksum-crc32": WRONG_CRC32},
    "crc32-malformed": {"x-amz-checksum-crc32": "!"},
    "sha256-wrong": {"x-amz-checksum-sha256": sha256(b"other")},
    "unknown-amz-header": {"x-amz-something-new": "1"},
    "unknown-header": {"X-Custom": "1"},
}

PUT_CONDITIONS: dict[str, dict[str, str]] = {
    "if-none-match-star": {"If-None-Match": "*"},
    "if-none-match-etag": {"If-None-Match": PLAIN_ETAG},
    "if-match": {"If-Match": PLAIN_ETAG},
    "if-match-fails": {"If-Match": ETAG},
    "if-match-star": {"If-Match": "*"},
    "if-unmodified": {"If-Unmodified-Since": LONG_AGO},
}

COPY_HEADERS: dict[str, dict[str, str]] = {
    "bare": {},
    "replace": {"x-amz-metadata-directive": "REPLACE", "x-amz-meta-new": "1", "Content-Type": "x/y"},
    "replace-tags": {"x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "n=1"},
    "directive-bad": {"x-amz-metadata-directive": "NONSENSE"},
    "storage-class": {"x-amz-storage-class": "STANDARD_IA"},
    "if-match": {"x-amz-copy-source-if-match": PLAIN_ETAG},
    "if-match-fails": {"x-amz-copy-source-if-match": ETAG},
    "if-none-match-fails": {"x-amz-copy-source-if-none-match": PLAIN_ETAG},
    "if-modified-fails": {"x-amz-copy-source-if-modified-since": FAR_AHEAD},
    "if-unmodified-fails": {"x-amz-copy-source-if-unmodified-since": LONG_AGO},
    "checksum": {"x-amz-checksum-algorithm": "SHA256"},
}

COPY_SOURCES = {
    "slash": "/{library}/plain",
    "escaped": "%2F{library}%2Fplain",
    "escaped-inside": "{library}%2Fplain",
    "tagged": "{library}/tagged",
    "space": "{library}/odd/sp%20ace",
    "plus": "{library}/odd/pl%2Bus",
    "emoji": "{library}/odd/%F0%9F%98%80",
    "version": "{versions}/doc?versionId={v1}",
    "version-unknown": "{versions}/doc?versionId=nonsense",
    "missing": "{library}/none",
    "missing-bucket": "s3d-no-such-bucket/none",
    "malformed": "nonsense",
    "empty": "",
}

DELETE_DOCUMENTS = {
    "two": b"<Delete><Object><Key>{key}-1</Key></Object><Object><Key>{key}-2</Key></Object></Delete>",
    "quiet": b"<Delete><Object><Key>{key}-1</Key></Object><Quiet>true</Quiet></Delete>",
    "namespace": b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>{key}-1</Key></Object></Delete>',
    "missing-key": b"<Delete><Object><Key>none</Key></Object></Delete>",
    "version": b"<Delete><Object><Key>{key}-1</Key><VersionId>null</VersionId></Object></Delete>",
    "odd": "<Delete><Object><Key>\u00fc &amp; &lt;x&gt; +</Key></Object></Delete>".encode(),
    "empty": b"<Delete></Delete>",
    "empty-key": b"<Delete><Object><Key></Key></Object></Delete>",
    "many": b"<Delete>" + b"".join(b"<Object><Key>k%d</Key></Object>" % n for n in range(1001)) + b"</Delete>",
    "not-xml": b"nonsense",
    "other-xml": b"<Nonsense/>",
    "no-body": b"",
}

TAGGING = {
    "one": b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>",
    "empty": b"<Tagging><TagSet></TagSet></Tagging>",
    "duplicate": b"<Tagging><TagSet>" + b"<Tag><Key>a</Key><Value>1</Value></Tag>" * 2 + b"</TagSet></Tagging>",
    "eleven": b"<Tagging><TagSet>%s</TagSet></Tagging>"
    % b"".join(b"<Tag><Key>k%d</Key><Value>v</Value></Tag>" % n for n in range(11)),
    "not-xml": b"nonsense",
    "no-body": b"",
}


def scenarios() -> list[Scenario]:
    return [*_puts(), *_forms_of_body(), *_copies(), *_deletes(), *_subresources()]


def _stored(key: str = "{key}") -> tuple[Step, Step]:
    """What was stored, seen from outside."""
    return Step("GET", f"/{{bucket}}/{key}"), Step("HEAD", f"/{{bucket}}/{key}", {"x-amz-checksum-mode": "ENABLED"})


def _puts() -> list[Scenario]:
    found = [
        change(f"put-{name}", Step("PUT", "/{bucket}/{key}", headers, PLAIN), *_stored())
        for name, headers in PUT_HEADERS.items()
    ]
    for name, headers in PUT_CONDITIONS.items():
        put = Step("PUT", "/{bucket}/{key}", headers, PLAIN)
        found.append(change(f"put-{name}-absent", put))
        found.append(change(f"put-{name}-present", arrange("PUT", "/{bucket}/{key}", {}, PLAIN), put))
    for name, key in ODD_KEYS.items():
        target = f"/{{bucket}}/{{key}}/{key}"
        found.append(
            change(f"put-odd-{name}", Step("PUT", target, {}, PLAIN), Step("GET", target), Step("DELETE", target))
        )
    found += [
        change("put-leading-slash", Step("PUT", "/{bucket}//{key}", {}, PLAIN), Step("GET", "/{bucket}//{key}")),
        change("put-empty", Step("PUT", "/{bucket}/{key}"), *_stored()),
        change("put-no-bucket", Step("PUT", "/{fresh}/{key}", {}, PLAIN)),
        change("put-directory", Step("PUT", "/{bucket}/{key}/"), Step("GET", "/{bucket}/{key}/")),
        change(
            "put-twice", Step("PUT", "/{bucket}/{key}", {}, PLAIN), Step("PUT", "/{bucket}/{key}", {}, b"2"), *_stored()
        ),
        change("put-sse-c", Step("PUT", "/{bucket}/{key}", SSE_C, PLAIN), Step("GET", "/{bucket}/{key}", SSE_C)),
        change("put-sse-c-read-without", Step("PUT", "/{bucket}/{key}", SSE_C, PLAIN), Step("GET", "/{bucket}/{key}")),
        change("put-virtual-host", Step("PUT", "/{bucket}/{key}", {}, PLAIN, virtual_host=True), *_stored()),
        change("put-large", Step("PUT", "/{bucket}/{key}", {}, b"l" * (3 << 20)), Step("HEAD", "/{bucket}/{key}")),
    ]
    return found


def _forms_of_body() -> list[Scenario]:
    trailed = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n"
    aws_chunked = {"Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(PLAIN))}
    announced = {**aws_chunked, "x-amz-trailer": "x-amz-checksum-crc32"}
    good = trailed % (len(PLAIN), PLAIN, CRC32.encode())
    bad = trailed % (len(PLAIN), PLAIN, WRONG_CRC32.encode())
    gzip = {**announced, "Content-Encoding": "gzip,aws-chunked"}
    return [
        change("body-unsigned", Step("PUT", "/{bucket}/{key}", {}, PLAIN, payload=UNSIGNED), *_stored()),
        change("body-chunked", Step("PUT", "/{bucket}/{key}", {}, PLAIN, payload=UNSIGNED, chunked=True), *_stored()),
        change("body-trailer", Step("PUT", "/{bucket}/{key}", announced, good, payload=TRAILER), *_stored()),
        change("body-trailer-gzip", Step("PUT", "/{bucket}/{key}", gzip, good, payload=TRAILER), *_stored()),
        change("body-trailer-wrong", Step("PUT", "/{bucket}/{key}", announced, bad, payload=TRAILER), *_stored()),
        change("body-hash-wrong", Step("PUT", "/{bucket}/{key}", {}, PLAIN, payload="0" * 64), *_stored()),
    ]


def _copies() -> list[Scenario]:
    found = []
    for name, headers in COPY_HEADERS.items():
        copy = Step("PUT", "/{bucket}/{key}", {"x-amz-copy-source": "{library}/plain", **headers})
        found.append(change(f"copy-{name}", copy, *_stored(), Step("GET", "/{bucket}/{key}?tagging")))
    for name, source in COPY_SOURCES.items():
        copy = Step("PUT", "/{bucket}/{key}", {"x-amz-copy-source": source})
        found.append(change(f"copy-from-{name}", copy, Step("GET", "/{bucket}/{key}")))
    itself = {"x-amz-copy-source": "/{bucket}/{key}"}
    found += [
        change("copy-to-itself", arrange("PUT", "/{bucket}/{key}", {}, PLAIN), Step("PUT", "/{bucket}/{key}", itself)),
        change(
            "copy-to-itself-replace",
            arrange("PUT", "/{bucket}/{key}", {}, PLAIN),
            Step("PUT", "/{bucket}/{key}", {**itself, "x-amz-metadata-directive": "REPLACE", "x-amz-meta-n": "1"}),
            *_stored(),
        ),
        change(
            "rename",
            arrange("PUT", "/{bucket}/{key}", {}, PLAIN),
            Step("PUT", "/{bucket}/{key}-new?renameObject", {"x-amz-rename-source": "{key}"}),
        ),
    ]
    return found


def _deletes() -> list[Scenario]:
    found = []
    for name, document in DELETE_DOCUMENTS.items():
        found.append(
            change(
                f"delete-many-{name}",
                *(arrange("PUT", f"/{{bucket}}/{{key}}-{n}", {}, b"x") for n in (1, 2)),
                Step(
                    "POST",
                    "/{bucket}?delete",
                    {"Content-MD5": md5(document)} if b"{key}" not in document else {},
                    document,
                ),
                Step("GET", "/{bucket}?list-type=2&prefix={key}"),
            )
        )
    existing = arrange("PUT", "/{bucket}/{key}", {}, PLAIN)
    return [
        *found,
        change(
            "delete",
            existing,
            Step("DELETE", "/{bucket}/{key}"),
            Step("DELETE", "/{bucket}/{key}"),
            Step("GET", "/{bucket}/{key}"),
        ),
        change(
            "delete-version-null",
            existing,
            Step("DELETE", "/{bucket}/{key}?versionId=null"),
            Step("GET", "/{bucket}/{key}"),
        ),
        change("delete-if-match", existing, Step("DELETE", "/{bucket}/{key}", {"If-Match": PLAIN_ETAG})),
        change(
            "delete-if-match-fails",
            existing,
            Step("DELETE", "/{bucket}/{key}", {"If-Match": ETAG}),
            Step("HEAD", "/{bucket}/{key}"),
        ),
        change("delete-no-bucket", Step("DELETE", "/{fresh}/x")),
        change(
            "delete-many-wrong-md5",
            Step(
                "POST", "/{bucket}?delete", {"Content-MD5": md5(b"")}, b"<Delete><Object><Key>a</Key></Object></Delete>"
            ),
        ),
    ]


def _subresources() -> list[Scenario]:
    existing = arrange("PUT", "/{bucket}/{key}", {}, PLAIN)
    found = [
        change(
            f"tag-{name}",
            existing,
            Step("PUT", "/{bucket}/{key}?tagging", {"Content-MD5": md5(document)}, document),
            Step("GET", "/{bucket}/{key}?tagging"),
            Step("DELETE", "/{bucket}/{key}?tagging"),
            Step("GET", "/{bucket}/{key}?tagging"),
        )
        for name, document in TAGGING.items()
    ]
    hold = b"<LegalHold><Status>ON</Status></LegalHold>"
    retention = b"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2038-01-01T00:00:00Z</RetainUntilDate></Retention>"
    restore = b"<RestoreRequest><Days>1</Days></RestoreRequest>"
    select = (
        b"<SelectObjectContentRequest><Expression>SELECT * FROM S3Object</Expression><ExpressionType>SQL</ExpressionType>"
        b"<InputSerialization><CSV/></InputSerialization><OutputSerialization><CSV/></OutputSerialization>"
        b"</SelectObjectContentRequest>"
    )
    return [
        *found,
        change(
            "tag-missing-key",
            Step("PUT", "/{bucket}/none?tagging", {}, TAGGING["one"]),
            Step("DELETE", "/{bucket}/none?tagging"),
        ),
        change(
            "acl-canned",
            existing,
            Step("PUT", "/{bucket}/{key}?acl", {"x-amz-acl": "public-read"}),
            Step("GET", "/{bucket}/{key}?acl"),
        ),
        change("acl-bad", existing, Step("PUT", "/{bucket}/{key}?acl", {}, b"nonsense")),
        change("legal-hold", existing, Step("PUT", "/{bucket}/{key}?legal-hold", {"Content-MD5": md5(hold)}, hold)),
        change(
            "retention", existing, Step("PUT", "/{bucket}/{key}?retention", {"Content-MD5": md5(retention)}, retention)
        ),
        change("restore", existing, Step("POST", "/{bucket}/{key}?restore", {}, restore)),
        change("select", existing, Step("POST", "/{bucket}/{key}?select&select-type=2", {}, select)),
        change("encryption-of-object", existing, Step("PUT", "/{bucket}/{key}?encryption", {}, b"<X/>")),
        change("append", existing, Step("PUT", "/{bucket}/{key}", {"x-amz-write-offset-bytes": "20"}, b"more")),
        change(
            "object-lambda",
            Step("POST", "/WriteGetObjectResponse", {"x-amz-request-route": "r", "x-amz-request-token": "t"}, b"x"),
        ),
    ]
