"""The two buckets that the shared scenarios read: prepared once for each remote, directly."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Protocol

from e2e.differential.scenario import fill
from e2e.differential.sender import Address, Outgoing, send

PLAIN = b"0123456789abcdefghij"
BIG = bytes(range(256)) * 1024
PART = b"p" * (5 << 20)

ODD_KEYS = {
    "space": "sp%20ace",
    "plus": "pl%2Bus",
    "percent": "pct%252F",
    "emoji": "%F0%9F%98%80",
    "umlaut": "%C3%BCml%C3%A4ut",
    "nfd": "u%CC%88",
    "double-slash": "a//b",
    "trailing-slash": "trail/",
    "leading-slash": "/lead",
    "dots": "...",
    "dot-dot": "../x",
    "dot-dot-inside": "d/../x",
    "dot-inside": "d/./x",
    "reserved": "%21%22%23%24%25%26%27%28%29%2A%2C%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E%60%7B%7C%7D~",
    "control": "%01%02%7F",
    "tab": "a%09b",
    "line": "a%0Ab",
    "1024-bytes": "x" * 200 + ("/" + "y" * 205) * 4,
    "1025-bytes": "x" * 201 + ("/" + "y" * 205) * 4,
    "unnecessary-escapes": "%61%62%63",
    "lower-case-escapes": "%c3%bc",
}
"""Keys as they stand in a request target."""


def sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


OBJECTS: list[tuple[str, dict[str, str], bytes]] = [
    ("plain", {"Content-Type": "text/plain", "x-amz-meta-a": "b", "x-amz-meta-two-words": "c d"}, PLAIN),
    ("empty", {}, b""),
    ("big", {"Content-Type": "application/x-big"}, BIG),
    (
        "described",
        {
            "Cache-Control": "max-age=60, public",
            "Content-Disposition": 'attachment; filename="a b.txt"',
            "Content-Encoding": "gzip",
            "Content-Language": "de, en",
            "Content-Type": "text/html; charset=utf-8",
            "Expires": "Wed, 21 Oct 2037 07:28:00 GMT",
            "x-amz-storage-class": "STANDARD_IA",
        },
        PLAIN,
    ),
    ("tagged", {"x-amz-tagging": "k1=v1&k2=v%202&empty="}, PLAIN),
    ("summed", {"x-amz-checksum-sha256": sha256(PLAIN)}, PLAIN),
    ("metadata-utf8", {"x-amz-meta-name": "n\u00e4me", "x-amz-meta-q": "=?UTF-8?Q?n=C3=A4me?="}, PLAIN),
    *((f"dir/{name}", {}, name.encode()) for name in ("a", "b", "c", "sub/d", "sub/e")),
    *((name, {}, b"x") for name in ("dir2/f", "zzz")),
]


def build_library(remote: Address, names: dict[str, str]) -> None:
    """Creates the buckets ``{library}`` and ``{versions}``; adds the names ``v1``, ``v2``, ``marker`` and ``modified``."""

    def sent(method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> str:
        answer = send(remote, Outgoing(method, fill(target, names), tuple((headers or {}).items()), body))
        return (
            "\n".join(f"{name.lower()}: {value}" for name, value in answer.headers)
            + "\n"
            + answer.body.decode("latin-1")
        )

    def version(text: str) -> str:
        found = re.search(r"x-amz-version-id: (\S+)", text)
        return found.group(1) if found else "none"

    sent("PUT", "/{library}")
    for key, headers, body in OBJECTS:
        sent("PUT", f"/{{library}}/{key}", headers, body)
    for key in ODD_KEYS.values():
        sent("PUT", f"/{{library}}/odd/{key}", {}, b"odd")
    sent("PUT", "/{library}//lead", {}, b"leading slash")
    _multipart(sent)
    sent("PUT", "/{versions}")
    enabled = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    sent("PUT", "/{versions}?versioning", {}, enabled)
    names["v1"] = version(sent("PUT", "/{versions}/doc", {}, b"one"))
    names["v2"] = version(sent("PUT", "/{versions}/doc", {"x-amz-meta-n": "2"}, b"second"))
    sent("PUT", "/{versions}/gone", {}, b"gone")
    names["marker"] = version(sent("DELETE", "/{versions}/gone"))
    modified = re.search(r"last-modified: (.*)", sent("HEAD", "/{library}/plain"))
    names["modified"] = modified.group(1).strip() if modified else "none"


class _Sent(Protocol):
    def __call__(self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> str: ...


def _multipart(sent: _Sent) -> None:
    started = re.search(r"<UploadId>([^<]+)<", sent("POST", "/{library}/parts?uploads"))
    assert started
    upload = started.group(1)
    tags = [
        re.search(r'etag: "?([0-9a-f]+)', sent("PUT", f"/{{library}}/parts?partNumber={n}&uploadId={upload}", {}, data))
        for n, data in ((1, PART), (2, b"tail"))
    ]
    parts = "".join(
        f'<Part><PartNumber>{n}</PartNumber><ETag>"{tag and tag.group(1)}"</ETag></Part>'
        for n, tag in enumerate(tags, 1)
    )
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    sent("POST", f"/{{library}}/parts?uploadId={upload}", {}, document)
