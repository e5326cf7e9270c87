"""Sends one S3 request exactly as written and returns the answer exactly as received.

No SDK and no URL library in between: nothing normalises a path, sorts a query, adds a header or follows a redirect.
Only the signatures are botocore's. A request is signed for the address that it is sent to.
"""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4PostAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from peers import REGION

Pairs = Sequence[tuple[str, str]]

UNSIGNED = "UNSIGNED-PAYLOAD"
TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Address:
    """Where requests go and the credentials that sign them: the remote with its own, or s3d with any."""

    url: str
    access_key: str
    secret_key: str

    @property
    def netloc(self) -> str:
        return urlsplit(self.url).netloc

    def credentials(self) -> Credentials:
        return Credentials(self.access_key, self.secret_key)


@dataclass(frozen=True)
class Outgoing:
    """A request: ``target`` is the request target as it goes on the wire, percent-encoded by whoever wrote the case."""

    method: str
    target: str
    headers: Pairs = ()
    body: bytes = b""
    auth: str = "v4"
    """``v4`` (header), ``query-v4``, ``query-v2`` (presigned URLs) or ``none``."""
    payload: str | None = None
    """What ``x-amz-content-sha256`` says instead of the hash of the body."""
    chunked: bool = False
    """Whether the body is framed with HTTP's chunked transfer coding instead of Content-Length."""


@dataclass
class Incoming:
    """The answer. ``headers`` in order and with duplicates; ``body`` without framing."""

    status: int
    reason: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def send(address: Address, outgoing: Outgoing) -> Incoming:
    """One request on a connection of its own. ``http.client.IncompleteRead`` when the answer is shorter than declared."""
    target, headers = _signed(address, outgoing)
    connection = http.client.HTTPConnection(address.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.putrequest(outgoing.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value.encode("utf-8", "surrogateescape"))
        connection.endheaders(_framed(outgoing))
        response = connection.getresponse()
        return Incoming(response.status, response.reason, response.getheaders(), response.read())
    finally:
        connection.close()


def form_fields(address: Address, conditions: list[Any]) -> dict[str, str]:
    """The form fields that sign a browser's POST: credential, date, policy and signature."""
    request = AWSRequest(method="POST", url=address.url)
    request.context["s3-presign-post-fields"] = {}
    request.context["s3-presign-post-policy"] = {"expiration": "2099-01-01T00:00:00Z", "conditions": conditions}
    S3SigV4PostAuth(address.credentials(), "s3", REGION).add_auth(request)
    fields: dict[str, str] = request.context["s3-presign-post-fields"]
    return fields


class _DeclaredPayload(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """Signs with the given payload hash instead of choosing one."""

    def __init__(self, credentials: Credentials, payload: str | None) -> None:
        super().__init__(credentials, "s3", REGION)
        self._payload = payload

    def payload(self, request: AWSRequest) -> str:
        declared: str = self._payload or super().payload(request)
        return declared


def _signed(address: Address, outgoing: Outgoing) -> tuple[str, list[tuple[str, str]]]:
    """The request target and all header fields to send."""
    headers = [(name, value) for name, value in outgoing.headers if name.lower() != "host"]
    host = next((value for name, value in outgoing.headers if name.lower() == "host"), address.netloc)
    request = AWSRequest(method=outgoing.method, url=f"http://{host}{outgoing.target}", data=outgoing.body)
    for name, value in headers:
        request.headers.add_header(name, value)
    added = _authorise(address, outgoing, request)
    target = request.url.removeprefix(f"http://{host}")
    return target, [("Host", host), *headers, *added, *_framing(outgoing)]


def _authorise(address: Address, outgoing: Outgoing, request: AWSRequest) -> list[tuple[str, str]]:
    """Signs the request; returns the header fields that the signature added."""
    credentials = address.credentials()
    match outgoing.auth:
        case "v4":
            _DeclaredPayload(credentials, outgoing.payload).add_auth(request)
            ours = {"authorization", "x-amz-date", "x-amz-content-sha256"}
            return [(name, value) for name, value in request.headers.items() if name.lower() in ours]
        case "query-v4":
            request.data = b""
            S3SigV4QueryAuth(credentials, "s3", REGION, expires=900).add_auth(request)
        case "query-v2":
            HmacV1QueryAuth(credentials, expires=900).add_auth(request)
        case "none":
            pass
        case other:
            raise ValueError(f"no such way to sign: {other}")
    return []


def _framing(outgoing: Outgoing) -> list[tuple[str, str]]:
    if outgoing.chunked:
        return [("Transfer-Encoding", "chunked")]
    given = any(name.lower() == "content-length" for name, _ in outgoing.headers)
    if given or (not outgoing.body and outgoing.method not in ("PUT", "POST")):
        return []
    return [("Content-Length", str(len(outgoing.body)))]


def _framed(outgoing: Outgoing) -> bytes:
    if not outgoing.chunked:
        return outgoing.body
    half = len(outgoing.body) // 2
    parts = [part for part in (outgoing.body[:half], outgoing.body[half:]) if part]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
