"""Multipart uploads: the whole cycle, and what goes wrong in each of its steps."""

from __future__ import annotations

from e2e.differential.library import md5, sha256
from e2e.differential.scenario import Scenario, Step, arrange, change

SMALL = b"small part"
FIRST = b"f" * (5 << 20)
UPLOAD = "<UploadId>([^<]+)<"
ETAG = '(?i)etag: "?([0-9a-f]{32})'
AT = "/{bucket}/{key}"


def scenarios() -> list[Scenario]:
    return [*_whole(), *_completions(), *_parts(), *_listings()]


def _document(*parts: tuple[str, str]) -> bytes:
    inner = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in parts)
    return f"<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>".encode()


def _started(**headers: str) -> Step:
    return arrange("POST", f"{AT}?uploads", {k.replace("_", "-"): v for k, v in headers.items()}, upload=UPLOAD)


def _part(number: int, body: bytes = SMALL) -> Step:
    return arrange("PUT", f"{AT}?partNumber={number}&uploadId={{upload}}", {}, body, **{f"e{number}": ETAG})


def _complete(*parts: tuple[str, str], **headers: str) -> Step:
    fields = {k.replace("_", "-"): v for k, v in headers.items()}
    return Step("POST", f"{AT}?uploadId={{upload}}", fields, _document(*parts))


def _whole() -> list[Scenario]:
    described = {"Content-Type": "x/y", "x-amz-meta-a": "1", "x-amz-tagging": "t=1", "Cache-Control": "no-cache"}
    return [
        change(
            "multipart",
            Step("POST", f"{AT}?uploads", described, save={"upload": UPLOAD}),
            Step(
                "PUT", f"{AT}?partNumber=1&uploadId={{upload}}", {"Content-MD5": md5(FIRST)}, FIRST, save={"e1": ETAG}
            ),
            Step("PUT", f"{AT}?partNumber=2&uploadId={{upload}}", {}, SMALL, save={"e2": ETAG}),
            Step("GET", f"{AT}?uploadId={{upload}}"),
            Step("GET", "/{bucket}?uploads&prefix={key}"),
            _complete(("1", '"{e1}"'), ("2", '"{e2}"')),
            _complete(("1", '"{e1}"'), ("2", '"{e2}"')),
            Step("HEAD", AT),
            Step("GET", AT, {"Range": "bytes=5242870-"}),
            Step("GET", f"{AT}?partNumber=2"),
            Step("GET", f"{AT}?attributes", {"x-amz-object-attributes": "ETag,ObjectParts,ObjectSize"}),
            Step("GET", f"{AT}?tagging"),
            Step("DELETE", AT),
        ),
        change(
            "multipart-sha256",
            Step("POST", f"{AT}?uploads", {"x-amz-checksum-algorithm": "SHA256"}, save={"upload": UPLOAD}),
            Step(
                "PUT",
                f"{AT}?partNumber=1&uploadId={{upload}}",
                {"x-amz-checksum-sha256": sha256(SMALL)},
                SMALL,
                save={"e1": ETAG},
            ),
            Step(
                "POST",
                f"{AT}?uploadId={{upload}}",
                {},
                f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{{e1}}</ETag><ChecksumSHA256>{sha256(SMALL)}"
                "</ChecksumSHA256></Part></CompleteMultipartUpload>".encode(),
            ),
            Step("HEAD", AT, {"x-amz-checksum-mode": "ENABLED"}),
        ),
        change(
            "multipart-abort",
            _started(),
            _part(1),
            Step("DELETE", f"{AT}?uploadId={{upload}}"),
            Step("DELETE", f"{AT}?uploadId={{upload}}"),
            Step("GET", f"{AT}?uploadId={{upload}}"),
            Step("GET", AT),
        ),
        change(
            "multipart-copy",
            _started(),
            Step(
                "PUT",
                f"{AT}?partNumber=1&uploadId={{upload}}",
                {"x-amz-copy-source": "/{library}/big"},
                save={"e1": "&#34;([0-9a-f]{32})|&quot;([0-9a-f]{32})"},
            ),
            Step(
                "PUT",
                f"{AT}?partNumber=2&uploadId={{upload}}",
                {"x-amz-copy-source": "/{library}/big", "x-amz-copy-source-range": "bytes=0-9"},
            ),
            Step(
                "PUT",
                f"{AT}?partNumber=3&uploadId={{upload}}",
                {"x-amz-copy-source": "/{library}/big", "x-amz-copy-source-range": "nonsense"},
            ),
            Step("PUT", f"{AT}?partNumber=4&uploadId={{upload}}", {"x-amz-copy-source": "/{library}/none"}),
            Step("GET", f"{AT}?uploadId={{upload}}"),
            arrange("DELETE", f"{AT}?uploadId={{upload}}"),
        ),
    ]


def _completions() -> list[Scenario]:
    one = (_started(), _part(1))
    two = (_started(), _part(1), _part(2))
    cases: dict[str, tuple[tuple[Step, ...], Step]] = {
        "quoted": (one, _complete(("1", '"{e1}"'))),
        "bare": (one, _complete(("1", "{e1}"))),
        "escaped": (one, _complete(("1", "&quot;{e1}&quot;"))),
        "too-small": (two, _complete(("1", "{e1}"), ("2", "{e2}"))),
        "wrong-etag": (one, _complete(("1", "0" * 32))),
        "missing-part": (one, _complete(("1", "{e1}"), ("2", "0" * 32))),
        "wrong-order": (two, _complete(("2", "{e2}"), ("1", "{e1}"))),
        "twice-the-same": (one, _complete(("1", "{e1}"), ("1", "{e1}"))),
        "no-parts": (one, _complete()),
        "subset": (two, _complete(("2", "{e2}"))),
        "part-zero": (one, _complete(("0", "{e1}"))),
        "part-text": (one, _complete(("x", "{e1}"))),
        "if-none-match": (one, _complete(("1", "{e1}"), If_None_Match="*")),
        "if-match-fails": (one, _complete(("1", "{e1}"), If_Match='"00000000000000000000000000000000"')),
        "not-xml": (one, Step("POST", f"{AT}?uploadId={{upload}}", {}, b"nonsense")),
        "empty": (one, Step("POST", f"{AT}?uploadId={{upload}}")),
        "other-key": (one, Step("POST", f"{AT}-other?uploadId={{upload}}", {}, _document(("1", "{e1}")))),
    }
    found = [
        change(f"complete-{name}", *before, step, Step("HEAD", AT), arrange("DELETE", f"{AT}?uploadId={{upload}}"))
        for name, (before, step) in cases.items()
    ]
    unknown = Step("POST", f"{AT}?uploadId=nonsense", {}, _document(("1", "0" * 32)))
    return [*found, change("complete-unknown-upload", unknown)]


def _parts() -> list[Scenario]:
    cases = {
        "zero": Step("PUT", f"{AT}?partNumber=0&uploadId={{upload}}", {}, SMALL),
        "10000": Step("PUT", f"{AT}?partNumber=10000&uploadId={{upload}}", {}, SMALL),
        "10001": Step("PUT", f"{AT}?partNumber=10001&uploadId={{upload}}", {}, SMALL),
        "text": Step("PUT", f"{AT}?partNumber=x&uploadId={{upload}}", {}, SMALL),
        "negative": Step("PUT", f"{AT}?partNumber=-1&uploadId={{upload}}", {}, SMALL),
        "unknown-upload": Step("PUT", f"{AT}?partNumber=1&uploadId=nonsense", {}, SMALL),
        "without-upload": Step("PUT", f"{AT}?partNumber=1", {}, SMALL),
        "without-number": Step("PUT", f"{AT}?uploadId={{upload}}", {}, SMALL),
        "empty": Step("PUT", f"{AT}?partNumber=1&uploadId={{upload}}"),
        "wrong-md5": Step("PUT", f"{AT}?partNumber=1&uploadId={{upload}}", {"Content-MD5": md5(b"other")}, SMALL),
        "no-bucket": Step("PUT", "/{fresh}/x?partNumber=1&uploadId=x", {}, SMALL),
    }
    clean_up = arrange("DELETE", f"{AT}?uploadId={{upload}}")
    return [change(f"part-{name}", _started(), step, clean_up) for name, step in cases.items()]


def _listings() -> list[Scenario]:
    listing = f"{AT}?uploadId={{upload}}"
    return [
        change(
            "list-parts",
            _started(),
            *(_part(number) for number in (1, 2, 5)),
            Step("GET", listing),
            Step("GET", f"{listing}&max-parts=2"),
            Step("GET", f"{listing}&part-number-marker=2"),
            Step("GET", f"{listing}&part-number-marker=5"),
            Step("GET", f"{listing}&max-parts=0"),
            Step("GET", f"{listing}&max-parts=x"),
            Step("GET", f"{listing}&encoding-type=url"),
            Step("GET", f"{AT}?uploadId=nonsense"),
            Step("GET", f"{AT}-other?uploadId={{upload}}"),
            arrange("DELETE", listing),
        ),
        change("create-upload-no-bucket", Step("POST", "/{fresh}/x?uploads", save={"upload": UPLOAD})),
        change("abort-unknown", Step("DELETE", f"{AT}?uploadId=nonsense")),
        change(
            "create-upload-bad-checksum",
            Step("POST", f"{AT}?uploads", {"x-amz-checksum-algorithm": "NONSENSE"}, save={"upload": UPLOAD}),
        ),
    ]
