"""How a client signed its request: read and checked for form, and taken off before the request is signed anew.

s3d has no client secrets in this version, so a signature cannot be verified. What can be checked without one is: the
form of the header or of the query parameters, the dates in them, and the expiry of a presigned URL.

Sources: "Authenticating Requests (AWS Signature Version 4)" and "Signing and authenticating REST requests" (the old
Signature Version 2, which several clients still presign with) in the Amazon S3 documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import lru_cache

from s3d.s3.checksums import BY_HEADER
from s3d.s3.errors import S3Error

Query = list[tuple[str, str]]

_V4_QUERY = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-signedheaders",
        "x-amz-signature",
        "x-amz-security-token",
    }
)
_V2_QUERY = frozenset({"awsaccesskeyid", "signature", "expires", "x-amz-security-token"})
_V4_ALGORITHMS = ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")
_CREDENTIAL = re.compile(r"[^/]+(?:/[^/]+)*/\d{8}/[^/]*/[a-z0-9-]+/aws4_request|[^/]+/\d{8}/[a-z0-9-]+/aws4_request")
# What SDKs send, whole in one step; whatever differs is taken apart to say what is wrong with it.
_USUAL_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Za-z0-9]+)/[0-9]{8}/[a-z0-9-]+/s3/aws4_request, "
    r"SignedHeaders=[a-z0-9;-]+, Signature=[0-9a-f]+"
)
_COMPACT_DATE = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_HEX = re.compile(r"[0-9a-fA-F]+")
_HEADER_NAME = re.compile(r"x-amz-[a-z0-9_.-]+", re.IGNORECASE | re.ASCII)
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
_LONGEST_EXPIRY = 604_800  # seconds: a week, S3's limit for Signature Version 4


class Kind(Enum):
    """Where the client's signature was."""

    NONE = "none"
    HEADER = "header"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class Authorization:
    """A client's signature, for the log and for whoever decides on access."""

    kind: Kind
    version: int = 0
    access_key: str | None = None
    expires_at: datetime | None = None


ANONYMOUS = Authorization(Kind.NONE)


def read(headers: Mapping[str, str], query: Query) -> Authorization:
    """Reads a client's signature.

    Errors: AuthorizationHeaderMalformed, AuthorizationQueryParametersError, InvalidArgument (unknown scheme),
    AccessDenied (an empty header, a date that is none), as S3 gives them.
    """
    header = headers.get("Authorization")
    if header is not None:
        return _read_header(header, headers)
    if not query:
        return ANONYMOUS
    names = {name.lower() for name, _ in query}
    if "x-amz-signature" in names or "x-amz-algorithm" in names:
        return _read_query_v4({name.lower(): value for name, value in query})
    if "awsaccesskeyid" in names and "signature" in names:
        return _read_query_v2({name.lower(): value for name, value in query})
    return ANONYMOUS


def strip_query(query: Query, authorization: Authorization) -> Query:
    """The query without the parameters of the signature."""
    if authorization.kind is not Kind.QUERY:
        return query
    drop = _V4_QUERY if authorization.version == 4 else _V2_QUERY
    return [(name, value) for name, value in query if name.lower() not in drop]


def headers_in_query(query: Query, authorization: Authorization) -> tuple[Query, Query]:
    """The query without, and the headers, that a presigned URL carries in its query: S3 reads ``x-amz-*`` parameters of
    one as headers (SDKs put metadata, tags and the like there), but only of one. Other servers do not: as headers, which
    they are, everybody understands them.

    The value of a checksum in a URL is left out. S3 does not look at it (aws-sdk-go-v2 issue 2610, aws-sdk-js-v3 issue
    4448), and the SDK for JavaScript puts that of an empty body into every URL for a PutObject (since 3.729)."""
    if authorization.kind is not Kind.QUERY:
        return query, []
    lifted = [(name, value) for name, value in query if _HEADER_NAME.fullmatch(name)]
    kept = [(name, value) for name, value in lifted if name.lower() not in BY_HEADER]
    return [pair for pair in query if pair not in lifted], kept


def check_expiry(authorization: Authorization, now: datetime | None = None) -> None:
    """Refuses a presigned request whose time is over, as S3 does: AccessDenied."""
    expires = authorization.expires_at
    if expires is None:
        return
    now = now or datetime.now(UTC)
    if now > expires:
        elements = {"Expires": _iso(expires), "ServerTime": _iso(now)}
        raise S3Error("AccessDenied", "Request has expired", elements=elements)


def _read_header(header: str, headers: Mapping[str, str]) -> Authorization:
    usual = _USUAL_HEADER.fullmatch(header)
    if usual is not None:
        _check_date(headers)
        return _in_header(usual[1])
    if not header.strip():
        raise S3Error("AccessDenied")
    scheme, _, rest = header.strip().partition(" ")
    if scheme == "AWS":
        access_key, colon, signature = rest.strip().rpartition(":")
        if not (colon and access_key and signature):
            raise S3Error("InvalidArgument", "AWS authorization header is invalid. Expected AwsAccessKeyId:signature")
        _check_date(headers)
        return Authorization(Kind.HEADER, 2, access_key)
    if scheme not in _V4_ALGORITHMS:
        elements = {"ArgumentName": "Authorization", "ArgumentValue": header[:64]}
        raise S3Error("InvalidArgument", "Unsupported Authorization Type", elements=elements)
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not fields.get(name):
            raise S3Error("AuthorizationHeaderMalformed", f"The authorization header is malformed; missing {name}.")
    if not _CREDENTIAL.fullmatch(fields["Credential"]):
        raise S3Error(
            "AuthorizationHeaderMalformed",
            'The authorization header is malformed; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/'
            'REGION/SERVICE/aws4_request".',
        )
    if not _HEX.fullmatch(fields["Signature"]):
        raise S3Error(
            "AuthorizationHeaderMalformed", "The authorization header is malformed; the Signature is not hex."
        )
    _check_date(headers)
    return Authorization(Kind.HEADER, 4, fields["Credential"].partition("/")[0])


@lru_cache(64)
def _in_header(access_key: str) -> Authorization:
    """The usual kind of signature. A client has one key and sends many requests."""
    return Authorization(Kind.HEADER, 4, access_key)


def _read_query_v4(query: dict[str, str]) -> Authorization:
    for name in ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders"):
        if not query.get(name.lower()):
            raise _bad_query(f"Query-string authentication version 4 requires the {name} parameter.")
    if query["x-amz-algorithm"] not in _V4_ALGORITHMS:
        raise _bad_query("X-Amz-Algorithm only supports AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256.")
    if not _CREDENTIAL.fullmatch(query["x-amz-credential"]):
        raise _bad_query("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed.")
    expires = query.get("x-amz-expires", "")
    if not expires.isascii() or not expires.isdigit():
        raise _bad_query("X-Amz-Expires should be a number")
    if len(expires) > 9 or int(expires) > _LONGEST_EXPIRY:
        raise _bad_query(
            "X-Amz-Expires must be less than a week (in seconds) that is, the given X-Amz-Expires is large."
        )
    signed_at = _compact_date(query["x-amz-date"])
    if signed_at is None:
        raise _bad_query("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    access_key = query["x-amz-credential"].partition("/")[0]
    lasts = min(timedelta(seconds=int(expires)), _END_OF_TIME - signed_at)
    return Authorization(Kind.QUERY, 4, access_key, signed_at + lasts)


def _read_query_v2(query: dict[str, str]) -> Authorization:
    expires = query.get("expires", "")
    if not expires.isascii() or not expires.isdigit() or len(expires) > 11:
        message = f"Invalid date (should be seconds since epoch): {expires[:64]}"
        raise S3Error("AccessDenied", message)
    return Authorization(Kind.QUERY, 2, query["awsaccesskeyid"], datetime.fromtimestamp(int(expires), UTC))


def _check_date(headers: Mapping[str, str]) -> None:
    """A signed request says when it was signed, in x-amz-date or Date."""
    text = headers.get("x-amz-date") or headers.get("Date", "")
    if _compact_date(text) is None and _http_date(text) is None:
        raise S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")


@lru_cache(64)  # a busy client sends the same second many times
def _compact_date(text: str) -> datetime | None:
    """``20260102T030405Z``; strptime would cost more than the rest of this file together."""
    if not _COMPACT_DATE.fullmatch(text):
        return None
    numbers = (text[:4], text[4:6], text[6:8], text[9:11], text[11:13], text[13:15])
    try:
        return datetime(*map(int, numbers), tzinfo=UTC)  # type: ignore[arg-type, misc]  # six integers
    except ValueError:
        return None


def _http_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the second: a year of more digits than a C integer has
        return None


def _bad_query(message: str) -> S3Error:
    return S3Error("AuthorizationQueryParametersError", message)


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
