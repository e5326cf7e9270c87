"""Compares two answers, leaving out only what cannot be the same.

Left out: the date, request ids, hop-by-hop fields (RFC 9110 section 7.6.1) and s3d's own ``x-s3d-*``. Replaced by their
names: what a twin scenario has twice (buckets, upload ids, version ids) and, there only, times.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from e2e.differential.sender import Incoming

REQUEST_IDS = {"x-amz-request-id", "x-amz-id-2", "x-amzn-requestid"}
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
TIMES = {"seaweed-x-amz-noncurrent-since-ns"}
"""Header fields that are a time but not in HTTP's form."""
IGNORED = REQUEST_IDS | HOP_BY_HOP | {"date"}

_IDS_IN_BODY = re.compile(rb"<(RequestId|HostId|RequestID)>[^<]*</\1>")
_ISO_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_HTTP_TIME = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")

Differences = dict[str, tuple[object, object]]
"""What differs: ``status``, ``reason``, ``header:NAME`` or ``body``, with the direct and the forwarded value."""


def differences(
    direct: tuple[Incoming, Mapping[str, str]],
    forwarded: tuple[Incoming, Mapping[str, str]],
    *,
    shared: bool,
    head: bool,
) -> Differences:
    """Each side is an answer with the names that were filled into its request."""
    found: Differences = {}
    (left, left_names), (right, right_names) = direct, forwarded
    if left.status != right.status:
        found["status"] = (left.status, right.status)
    if left.reason != right.reason:
        found["reason"] = (left.reason, right.reason)
    left_body, right_body = _body(left, left_names, shared), _body(right, right_names, shared)
    if left_body != right_body:
        found["body"] = (left_body, right_body)
    left_headers, right_headers = _headers(left, left_names, shared, head), _headers(right, right_names, shared, head)
    for name in sorted(left_headers.keys() | right_headers.keys()):
        values = left_headers.get(name, Counter()), right_headers.get(name, Counter())
        if values[0] != values[1]:
            found[f"header:{name}"] = sorted(values[0].elements()), sorted(values[1].elements())
    return found


def summary(answer: Incoming) -> str:
    """Status and, where the body says one, the S3 error code: ``404 NoSuchKey``."""
    code = re.search(rb"<Error>\s*<Code>(\w+)<", answer.body)
    return f"{answer.status} {code.group(1).decode()}" if code else str(answer.status)


def framing_error(answer: Incoming, *, head: bool) -> str | None:
    """What is wrong with the framing of the answer, by RFC 9112 section 6. The two sides may frame differently."""
    lengths = {value for name, value in answer.headers if name.lower() == "content-length"}
    chunked = any(name.lower() == "transfer-encoding" for name, _ in answer.headers)
    if len(lengths) > 1:
        return f"several lengths: {lengths}"
    if answer.status in (204, 304) or head:
        return f"a body of {len(answer.body)} bytes where there is none" if answer.body else None
    if lengths and chunked:
        return "both Content-Length and Transfer-Encoding"
    if lengths and int(next(iter(lengths))) != len(answer.body):
        return f"Content-Length {lengths} on {len(answer.body)} bytes"
    return None


def _headers(answer: Incoming, names: Mapping[str, str], shared: bool, head: bool) -> dict[str, Counter[str]]:
    fields: dict[str, Counter[str]] = {}
    for name, value in answer.headers:
        lower = name.lower()
        if lower in IGNORED or lower.startswith("x-s3d-") or (lower == "content-length" and not head):
            continue  # the length of a body was compared with the body itself
        text = value if shared else _named(_time(lower, value), names)
        fields.setdefault(lower, Counter())[text] += 1
    return fields


def _time(name: str, value: str) -> str:
    return "{time}" if name in TIMES else _HTTP_TIME.sub("{time}", value)


def _body(answer: Incoming, names: Mapping[str, str], shared: bool) -> bytes:
    body = _IDS_IN_BODY.sub(rb"<\1/>", answer.body)
    if shared or len(body) > 1 << 20:
        return body
    return _named(_ISO_TIME.sub(b"{time}", body).decode("latin-1"), names).encode("latin-1")


def _named(text: str, names: Mapping[str, str]) -> str:
    """Replaces values that only this side has by their names, the longest first (one may contain another)."""
    for name, value in sorted(names.items(), key=lambda item: -len(item[1])):
        text = text.replace(value, f"{{{name}}}") if len(value) >= 8 else text
    return text
