"""Cross-origin resource sharing: the rules of a bucket, and what they mean for a browser.

The first rule that matches counts. For a preflight that means origin, method and every header that is asked for; for any
other request the headers ``Access-Control-Request-*`` count too where they are, but not the headers that it really has.
Sources: "Using cross-origin resource sharing (CORS)", Amazon S3 User Guide; "OPTIONS object", Amazon S3 API Reference;
section 3.3 of the Fetch standard (WHATWG).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from functools import lru_cache

from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response, body_length
from s3d.standalone import bucket_setting
from s3d.standalone.bucket_setting import Handler, Setting
from s3d.standalone.store import Call, Members, Store

_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "HEAD"})
_RULES = 100
_SIZE = (
    64 << 10
)  # bytes: "PutBucketCors", Amazon S3 API Reference. Every rule is tried with every header of a preflight
_ID = 255  # characters
_VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
_NO_MATCH = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A CORSRule, ready to be matched."""

    origins: tuple[re.Pattern[str], ...]
    any_origin: bool
    methods: tuple[str, ...]
    headers: tuple[re.Pattern[str], ...]
    exposed: tuple[str, ...]
    max_age: int | None

    def matches(self, origin: str, method: str | None, names: Iterable[str]) -> bool:
        """``names`` are the headers asked for."""
        if method not in self.methods or not any(pattern.fullmatch(origin) for pattern in self.origins):
            return False
        return all(any(pattern.fullmatch(name) for pattern in self.headers) for name in names)

    def answer(self, origin: str, names: Iterable[str]) -> dict[str, str]:
        """The header fields that let the page read an answer."""
        found = {"Access-Control-Allow-Origin": "*" if self.any_origin else origin}
        if names:
            found["Access-Control-Allow-Headers"] = ", ".join(names)
        found["Access-Control-Allow-Methods"] = ", ".join(self.methods)
        if self.exposed:
            found["Access-Control-Expose-Headers"] = ", ".join(self.exposed)
        if self.max_age is not None:
            found["Access-Control-Max-Age"] = str(self.max_age)
        if not self.any_origin:
            found["Access-Control-Allow-Credentials"] = "true"
        return found | {"Vary": _VARY}


def allows(store: Store, bucket: str | None, origin: str, method: str) -> bool:
    """Whether the rules of the bucket let a page of that origin send such a request."""
    rules = _rules_of(store, bucket) or ()
    return any(rule.matches(origin, method, ()) for rule in rules)


def check_source(store: Store, request: S3Request, source: str) -> None:
    """A page of another site that may write into one bucket must not read another one by copying from it, unless that
    one's rules let it read. Raises AccessDenied."""
    if source == request.bucket or request.headers.get("Sec-Fetch-Site", "").lower() != "cross-site":
        return
    if not allows(store, source, request.headers.get("Origin", ""), "GET"):
        raise S3Error("AccessDenied", "The CORS rules of the source bucket do not let this page read it.")


def add_headers(store: Store, request: S3Request, headers: MutableMapping[str, str]) -> None:
    """Adds to the headers of an answer, or of an error, what lets the page read it."""
    origin = request.headers.get("Origin")
    if origin is None or request.operation == "PreflightRequest":
        return
    method = request.headers.get("Access-Control-Request-Method", request.method)
    names = _asked_for(request)
    for rule in _rules_of(store, request.bucket) or ():
        if rule.matches(origin, method, names):
            headers.update(rule.answer(origin, names))
            return


async def preflight(store: Store, call: Call) -> S3Response:
    """Answers a browser that asks what it may send. Errors: BadRequest, AccessForbidden."""
    request = call.request
    origin, method = request.headers.get("Origin"), request.headers.get("Access-Control-Request-Method")
    if origin is None:
        raise S3Error("BadRequest", "Insufficient information. Origin request header needed.")
    rules = _rules_of(store, request.bucket)
    if not rules:
        problem = "Bucket not found" if rules is None else "CORS is not enabled for this bucket."
        raise _forbidden(f"CORSResponse: {problem}", method, "BUCKET")
    if method is None:
        raise S3Error("BadRequest", "Invalid Access-Control-Request-Method: null")
    names = _asked_for(request)
    for rule in rules:
        if rule.matches(origin, method, names):
            response = S3Response(200)
            response.headers.update(rule.answer(origin, names))
            response.headers["Content-Length"] = "0"
            return response
    raise _forbidden(_NO_MATCH, method, "BUCKET" if request.key is None else "OBJECT")


def _forbidden(message: str, method: str | None, resource: str) -> S3Error:
    return S3Error("AccessForbidden", message, elements={"Method": method or "OPTIONS", "ResourceType": resource})


def _asked_for(request: S3Request) -> list[str]:
    """The names in Access-Control-Request-Headers, in lower case."""
    text = request.headers.get("Access-Control-Request-Headers", "")
    return list(dict.fromkeys(name for part in text.split(",") if (name := part.strip().lower())))


def _rules_of(store: Store, bucket: str | None) -> tuple[_Rule, ...] | None:
    """None: there is no such bucket."""
    try:
        found = store.bucket(bucket or "")
    except S3Error:
        return None
    text = bucket_setting.read(store.reader, found, _SETTING.name)
    return () if text is None else _compiled(text)


@lru_cache(256)
def _compiled(text: str) -> tuple[_Rule, ...]:
    return tuple(
        _Rule(
            origins=tuple(_pattern(origin) for origin in rule["AllowedOrigins"]),
            any_origin="*" in rule["AllowedOrigins"],
            methods=tuple(rule["AllowedMethods"]),
            headers=tuple(_pattern(header.lower()) for header in rule.get("AllowedHeaders", ())),
            exposed=tuple(rule.get("ExposeHeaders", ())),
            max_age=rule.get("MaxAgeSeconds"),
        )
        for rule in json.loads(text)["CORSRules"]
    )


def _pattern(text: str) -> re.Pattern[str]:
    """``*`` is any text, also none."""
    return re.compile(".*".join(re.escape(piece) for piece in text.split("*")))


def _stored(call: Call) -> str:
    """Raises MaxMessageLengthExceeded, MalformedXML, InvalidRequest."""
    if body_length(call.request.body) > _SIZE:
        raise S3Error("MaxMessageLengthExceeded")
    configuration: Members = call.members["CORSConfiguration"]
    if len(configuration["CORSRules"]) > _RULES:
        raise S3Error("MalformedXML")
    for rule in configuration["CORSRules"]:
        _check(rule)
    return json.dumps(configuration)


def _check(rule: Members) -> None:
    for method in rule["AllowedMethods"]:
        if method not in _METHODS:
            message = f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            raise S3Error("InvalidRequest", message)
    for member in ("AllowedOrigins", "AllowedHeaders"):
        for text in rule.get(member, ()):
            if text.count("*") > 1:
                raise S3Error("InvalidRequest", f'{member[:-1]} "{text}" can not have more than one wildcard.')
    for text in rule.get("ExposeHeaders", ()):
        if "*" in text:
            message = f'ExposeHeader "{text}" contains wildcard. We currently do not support wildcard for ExposeHeader.'
            raise S3Error("InvalidRequest", message)
        if not text.isprintable():  # it goes out in a header
            raise S3Error("MalformedXML")
    if len(rule.get("ID", "")) > _ID:
        raise S3Error("InvalidRequest", f"ID length should not exceed allowed limit of {_ID}")


_SETTING = Setting("cors", "NoSuchCORSConfiguration", _stored, json.loads)

HANDLERS: dict[str, Handler] = {
    "PutBucketCors": bucket_setting.putter(_SETTING),
    "GetBucketCors": bucket_setting.getter(_SETTING),
    "DeleteBucketCors": bucket_setting.deleter(_SETTING),
    "PreflightRequest": preflight,
}
