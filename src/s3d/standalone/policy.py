"""Bucket policies: checked, kept and given back. Nothing here acts on them: there is one owner, who may do everything.

Source: "Policies and permissions in Amazon S3", Amazon S3 User Guide; "IAM JSON policy elements reference", IAM User Guide.
"""

from __future__ import annotations

import json
import re
from typing import Any

from s3d.local.database import Connection
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.standalone import bucket_setting
from s3d.standalone.bucket import Bucket
from s3d.standalone.bucket_setting import Handler, Setting
from s3d.standalone.store import Call, Store

_SIZE = 20 * 1024  # bytes
_VERSIONS = (None, "2012-10-17", "2008-10-17")
_RESOURCE = re.compile(r"arn:[^:]*:s3:[^:]*:[^:]*:([^/]+)(?:/.*)?", re.DOTALL)


def _stored(call: Call) -> str:
    """The text as it came. Raises MalformedPolicy."""
    text: str = call.members["Policy"]
    if len(text) > _SIZE or len(text.encode("utf-8", "surrogateescape")) > _SIZE:
        raise _malformed("Normalized policy document exceeds the maximum allowed size of 20480 bytes.")
    try:
        text.encode()  # JSON is UTF-8 (RFC 8259 section 8.1)
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _malformed("Policies must be valid JSON and the first byte must be '{'")
    if document.get("Version") not in _VERSIONS:
        raise _malformed("The policy must contain a valid version string")
    statements = _statements(document)
    if not statements:
        raise _malformed("Missing required field Statement")
    for statement in statements:
        _check_statement(statement, call.bucket)
    return text


def _statements(document: dict[str, Any]) -> list[Any]:
    return _as_list(document.get("Statement", []))


def _check_statement(statement: Any, bucket: str) -> None:
    if not isinstance(statement, dict):
        raise _malformed("Syntax errors in policy.")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed("Invalid effect in policy" if "Effect" in statement else "Missing required field Effect")
    _check_principal(_one_of(statement, "Principal"))
    for action in _texts(_one_of(statement, "Action"), "action"):
        if action != "*" and not action.lower().startswith("s3:"):
            raise _malformed("Policy has invalid action")
    for resource in _texts(_one_of(statement, "Resource"), "resource"):
        if not _names(resource, bucket):
            raise _malformed("Policy has invalid resource")
    if not isinstance(statement.get("Condition", {}), dict):
        raise _malformed("Policy has an invalid condition")


def _check_principal(principal: Any) -> None:
    """``"*"``, or lists of names by kind. Whom they name is not looked up."""
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal:
        raise _malformed("Invalid principal in policy")
    for names in principal.values():
        _texts(names, "principal")


def _one_of(statement: dict[str, Any], name: str) -> Any:
    """The element, or the one with Not in front. Raises MalformedPolicy for none or both."""
    found = [statement[wording] for wording in (name, f"Not{name}") if wording in statement]
    if len(found) != 1:
        raise _malformed(f"Missing required field {name}" if not found else f"Policy has both {name} and Not{name}")
    return found[0]


def _texts(value: Any, what: str) -> list[str]:
    texts = _as_list(value)
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise _malformed(f"Policy has invalid {what}")
    return texts


def _names(resource: str, bucket: str) -> bool:
    """Whether the ARN names the bucket or something in it; it may have the wildcards * and ?."""
    if resource == "*":
        return True
    match = _RESOURCE.fullmatch(resource)
    if match is None:
        return False
    return _pattern(match[1]).fullmatch(bucket) is not None


def _pattern(text: str) -> re.Pattern[str]:
    """Each piece between two ``*`` is looked for once, at the first place that it fits (an atomic group): trying all places
    for all pieces would take years for twenty of them."""
    first, *pieces = [re.escape(piece).replace(r"\?", ".") for piece in text.split("*")]
    if not pieces:
        return re.compile(first)
    return re.compile(first + "".join(f"(?>.*?{piece})" for piece in pieces[:-1]) + ".*" + pieces[-1])


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _malformed(message: str) -> S3Error:
    return S3Error("MalformedPolicy", message)


def is_public(text: str) -> bool:
    """Whether a stored policy allows everybody something without a condition."""
    return any(
        statement["Effect"] == "Allow" and not statement.get("Condition") and _is_everybody(statement.get("Principal"))
        for statement in _statements(json.loads(text))
    )


def _is_everybody(principal: Any) -> bool:
    return "*" in _as_list(principal.get("AWS") if isinstance(principal, dict) else principal)


def _check_public(connection: Connection, bucket: Bucket, text: str | None) -> None:
    """Raises AccessDenied for a public policy where those are blocked."""
    block = bucket_setting.read(connection, bucket, "publicAccessBlock")
    if block is not None and json.loads(block)["BlockPublicPolicy"] and text is not None and is_public(text):
        raise S3Error("AccessDenied")


_SETTING = Setting("policy", "NoSuchBucketPolicy", _stored, lambda text: {"Policy": text}, _check_public)


async def _get_status(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, NoSuchBucketPolicy."""
    bucket = store.bucket(call.bucket)
    text = bucket_setting.read(store.reader, bucket, _SETTING.name)
    if text is None:
        raise bucket_setting.not_set(bucket, _SETTING.missing)
    return codec.build_response("GetBucketPolicyStatus", {"PolicyStatus": {"IsPublic": is_public(text)}})


HANDLERS: dict[str, Handler] = {
    "PutBucketPolicy": bucket_setting.putter(_SETTING),
    "GetBucketPolicy": bucket_setting.getter(_SETTING),
    "DeleteBucketPolicy": bucket_setting.deleter(_SETTING),
    "GetBucketPolicyStatus": _get_status,
}
