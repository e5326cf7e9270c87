"""Signature Version 4, for requests that s3d sends, in the Authorization header.

Source: "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API Reference. S3's variant encodes the
path once and never normalises it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from multidict import CIMultiDict

from s3d.s3.uri import quote

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = sha256(b"").hexdigest()

# S3 demands Host and every x-amz-* field, and content-type and content-md5 where present. Signing more would break on
# proxies between here and the remote that touch the rest.
_SIGNED = frozenset({"host", "content-type", "content-md5"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """What signs a request. ``repr`` shows the access key only."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


class Signer:
    """Signs for one region. Derived keys are remembered for the day: that is most of the cost of a signature."""

    def __init__(self, region: str, service: str = "s3") -> None:
        self.region = region
        self._service = service
        self._keys: dict[tuple[str, str], bytes] = {}

    def sign_headers(
        self,
        method: str,
        path: str,
        query: Iterable[tuple[str, str]],
        headers: CIMultiDict[str],
        payload_hash: str,
        credentials: Credentials,
        *,
        now: datetime | None = None,
    ) -> None:
        """Adds x-amz-date, x-amz-content-sha256, x-amz-security-token and Authorization to ``headers``.

        ``path`` is already percent-encoded, ``query`` is decoded, ``headers`` has Host. ``payload_hash`` is a
        hexadecimal SHA-256 or one of S3's words for none.
        """
        timestamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        headers["x-amz-date"] = timestamp
        headers["x-amz-content-sha256"] = payload_hash
        if credentials.session_token:
            headers["x-amz-security-token"] = credentials.session_token
        names, canonical = _canonical_headers(headers)
        scope = f"{timestamp[:8]}/{self.region}/{self._service}/aws4_request"
        request = f"{method}\n{path}\n{_canonical_query(query)}\n{canonical}\n{names}\n{payload_hash}"
        signature = self._signature(request, timestamp, scope, credentials)
        headers["Authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )

    def _signature(self, canonical_request: str, timestamp: str, scope: str, credentials: Credentials) -> str:
        digest = sha256(canonical_request.encode("utf-8", "surrogateescape")).hexdigest()
        text = f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}"
        return hmac.digest(self._key(credentials.secret_key, timestamp[:8]), text.encode(), "sha256").hex()

    def _key(self, secret: str, date: str) -> bytes:
        key = self._keys.get((secret, date))
        if key is None:
            key = f"AWS4{secret}".encode()
            for part in (date, self.region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._keys = {(secret, date): key}  # one pair at a time: secrets rotate and days pass
        return key


def _canonical_headers(headers: CIMultiDict[str]) -> tuple[str, str]:
    """The names to sign, joined, and the lines; values of a repeated name are joined in order of arrival."""
    lines: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower in _SIGNED or lower.startswith("x-amz-"):
            text = " ".join(value.split()) if "  " in value else value.strip()
            lines[lower] = f"{lines[lower]},{text}" if lower in lines else text
    names = sorted(lines)
    return ";".join(names), "".join(f"{name}:{lines[name]}\n" for name in names)


def _canonical_query(query: Iterable[tuple[str, str]]) -> str:
    pairs = sorted((quote(name), quote(value)) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in pairs)
