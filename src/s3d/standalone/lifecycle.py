"""Lifecycle configurations: checked, kept and given back. Nothing here acts on them.

Source: "Lifecycle configuration elements", Amazon S3 User Guide; "PutBucketLifecycleConfiguration", Amazon S3 API
Reference.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from typing import Any

from s3d.s3 import codec
from s3d.s3.codec.values import format_iso8601, parse_timestamp
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.standalone import bucket_setting
from s3d.standalone.bucket_setting import Handler, Setting
from s3d.standalone.store import Call, Members, Store

_RULES = 1000
_ID = 255  # characters
_STORAGE_CLASSES = frozenset(
    {"GLACIER", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "DEEP_ARCHIVE", "GLACIER_IR"}
)
_ACTIONS = (
    "Expiration",
    "Transitions",
    "NoncurrentVersionTransitions",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
)
_SIZES = ("all_storage_classes_128K", "varies_by_storage_class")
_SIZE = "TransitionDefaultMinimumObjectSize"
_SIZE_HEADER = "x-amz-transition-default-minimum-object-size"
_ONE_OF_OLD = ("Transition", "NoncurrentVersionTransition")
"""Members of which the old form of a rule has one and the new form a list."""


def _stored(call: Call) -> str:
    """Raises MalformedXML, InvalidArgument, InvalidRequest."""
    rules = (call.members.get("LifecycleConfiguration") or {}).get("Rules")
    if not rules or len(rules) > _RULES:
        raise S3Error("MalformedXML")
    rules = [_in_new_form(rule) for rule in rules]
    ids: set[str] = set()
    for rule in rules:
        _check_rule(rule)
        if rule["ID"] in ids:
            raise _invalid("Rule ID must be unique. Found same ID for more than one rule", "ID", rule["ID"])
        ids.add(rule["ID"])
    return json.dumps({"Rules": rules, _SIZE: _size(call)}, default=format_iso8601)


def _members(text: str) -> Members:
    found: Members = json.loads(text, object_hook=_with_date)
    return found


def _with_date(found: dict[str, Any]) -> dict[str, Any]:
    """JSON has no dates; ``Date`` is the only name that they have in a configuration."""
    return found | {"Date": parse_timestamp(found["Date"])} if "Date" in found else found


def _size(call: Call) -> str:
    size: str = call.members.get(_SIZE, _SIZES[0])
    if size not in _SIZES:
        raise S3Error("InvalidRequest", f"Invalid {_SIZE} found: {size}")
    return size


def _in_new_form(rule: Members) -> Members:
    """With an ID, and lists where PutBucketLifecycle (x-id) has single members."""
    found = {f"{name}s" if name in _ONE_OF_OLD else name: [v] if name in _ONE_OF_OLD else v for name, v in rule.items()}
    if not found.get("ID"):
        found["ID"] = secrets.token_urlsafe(36)
    return found


def _check_rule(rule: Members) -> None:
    if len(rule["ID"]) > _ID:
        raise _invalid(f"ID length should not exceed allowed limit of {_ID}", "ID", rule["ID"])
    if rule["Status"] not in ("Enabled", "Disabled") or ("Prefix" in rule) == ("Filter" in rule):
        raise S3Error("MalformedXML")
    if "Filter" in rule:
        _check_filter(rule["Filter"])
    if not any(rule.get(action) for action in _ACTIONS):
        if any(action in rule for action in _ACTIONS):
            raise S3Error("MalformedXML")
        raise S3Error("InvalidRequest", "At least one action needs to be specified in a rule")
    if (expiration := rule.get("Expiration")) is not None:
        _check_expiration(expiration)
    for transition in rule.get("Transitions", ()):
        _check_transition(transition)
    for transition in rule.get("NoncurrentVersionTransitions", ()):
        _check_class(transition)
        _check_noncurrent(transition, "NoncurrentVersionTransition", 0)
    if (noncurrent := rule.get("NoncurrentVersionExpiration")) is not None:
        _check_noncurrent(noncurrent, "NoncurrentVersionExpiration", 1)
    if (abort := rule.get("AbortIncompleteMultipartUpload")) is not None:
        _check_days(abort, "DaysAfterInitiation", "AbortIncompleteMultipartUpload", 1)


def _check_filter(found: Members) -> None:
    """A filter has at most one condition, and "And" joins at least two."""
    if len(found) > 1:
        raise S3Error("MalformedXML")
    if "And" in found:
        joined = found["And"]
        tags = joined.get("Tags", [])
        if len(tags) + sum(name != "Tags" for name in joined) < 2:
            raise S3Error("MalformedXML")
        if len({tag["Key"] for tag in tags}) < len(tags):
            raise S3Error("InvalidRequest", "Duplicate Tag Keys are not allowed.")


def _check_expiration(expiration: Members) -> None:
    if len(expiration) != 1:
        raise S3Error("MalformedXML")
    if "Days" in expiration:
        _check_days(expiration, "Days", "Expiration", 1)
    _check_date(expiration)


def _check_transition(transition: Members) -> None:
    _check_class(transition)
    if ("Days" in transition) == ("Date" in transition):
        raise S3Error("MalformedXML")
    if "Days" in transition:
        _check_days(transition, "Days", "Transition", 0)
    _check_date(transition)


def _check_class(transition: Members) -> None:
    if transition.get("StorageClass") not in _STORAGE_CLASSES:
        raise S3Error("MalformedXML")


def _check_noncurrent(found: Members, action: str, least: int) -> None:
    """NoncurrentDays, and how many versions to keep beside."""
    _check_days(found, "NoncurrentDays", action, least)
    kept = found.get("NewerNoncurrentVersions")
    if kept is not None and not 1 <= kept <= 100:
        raise _invalid(f"'NewerNoncurrentVersions' for {action} action must be between 1 and 100", "", str(kept))


def _check_days(found: Members, name: str, action: str, least: int) -> None:
    days = found.get(name)
    if days is None:
        raise S3Error("MalformedXML")
    if days < least:
        kind = "positive" if least else "nonnegative"
        raise _invalid(f"'{name}' for {action} action must be a {kind} integer", name, str(days))


def _check_date(found: Members) -> None:
    date: datetime | None = found.get("Date")
    if date is not None and (date.hour, date.minute, date.second, date.microsecond) != (0, 0, 0, 0):
        raise _invalid("'Date' must be at midnight GMT", "Date", format_iso8601(date))


def _invalid(message: str, name: str, value: str) -> S3Error:
    elements = {"ArgumentName": name, "ArgumentValue": value} if name else {}
    return S3Error("InvalidArgument", message, elements=elements)


_SETTING = Setting("lifecycle", "NoSuchLifecycleConfiguration", _stored, _members)
_PUT = bucket_setting.putter(_SETTING)


async def _put(store: Store, call: Call) -> S3Response:
    response = await _PUT(store, call)
    response.headers[_SIZE_HEADER] = _size(call)
    return response


async def _get(store: Store, call: Call) -> S3Response:
    """GetBucketLifecycle gets the same document: it is the same request, and who only knows the old form of a rule reads
    what of it is there."""
    bucket = store.bucket(call.bucket)
    text = bucket_setting.read(store.reader, bucket, _SETTING.name)
    if text is None:
        raise bucket_setting.not_set(bucket, _SETTING.missing)
    return codec.build_response("GetBucketLifecycleConfiguration", _members(text))


HANDLERS: dict[str, Handler] = {
    "PutBucketLifecycleConfiguration": _put,
    "PutBucketLifecycle": _PUT,
    "GetBucketLifecycleConfiguration": _get,
    "GetBucketLifecycle": _get,
    "DeleteBucketLifecycle": bucket_setting.deleter(_SETTING),
}
