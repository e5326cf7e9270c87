"""Access control lists as data: what canned ones, headers and documents mean. Pure functions.

A list is stored as JSON of its grants, ``[{"Grantee": {...}, "Permission": "READ"}, ...]``; None stands for the default, by
which the owner has all rights and nobody else any. Source: "Access control list (ACL) overview", Amazon S3 User Guide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from s3d.s3.errors import S3Error
from s3d.standalone.bucket import OWNER

Grant = dict[str, Any]

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
_GROUPS = (ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY)
_EC2 = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c"
"""The account that reads machine images: the one that ``aws-exec-read`` grants to."""

_LIMIT = 100  # grants in a list
_PERMISSIONS = frozenset({"FULL_CONTROL", "READ", "READ_ACP", "WRITE", "WRITE_ACP"})
_NEEDED = {"CanonicalUser": "ID", "AmazonCustomerByEmail": "EmailAddress", "Group": "URI"}
"""By the type of a grantee: the element that says who it is."""
_GRANT_HEADERS = {
    f"x-amz-grant-{permission.lower().replace('_', '-')}": permission for permission in sorted(_PERMISSIONS)
}
_GRANTEE_IN_HEADER = re.compile(
    r'\s*+(id|uri|emailaddress)\s*+=\s*+("[^"]*+"\s*+|[^",]*+)(?:,|$)', re.IGNORECASE
)  # nothing is tried twice: the text is a stranger's, and may have 16 KiB of spaces


def _user(user: Mapping[str, str], permission: str) -> Grant:
    return {"Grantee": {"Type": "CanonicalUser", **user}, "Permission": permission}


def _group(uri: str, permission: str) -> Grant:
    return {"Grantee": {"Type": "Group", "URI": uri}, "Permission": permission}


OWNERS = _user(OWNER, "FULL_CONTROL")

_CANNED: dict[str, list[Grant]] = {
    "private": [],
    "public-read": [_group(ALL_USERS, "READ")],
    "public-read-write": [_group(ALL_USERS, "READ"), _group(ALL_USERS, "WRITE")],
    "aws-exec-read": [_user({"ID": _EC2}, "READ")],
    "authenticated-read": [_group(AUTHENTICATED_USERS, "READ")],
    "bucket-owner-read": [],  # the owner of the bucket is that of the object here
    "bucket-owner-full-control": [],
    "log-delivery-write": [_group(LOG_DELIVERY, "WRITE"), _group(LOG_DELIVERY, "READ_ACP")],
}
"""What each name grants beside the owner's rights ("Canned ACL")."""
_OF_BUCKETS_ONLY = "log-delivery-write"


def is_header(name: str) -> bool:
    """Whether a header (in lower case) says something about access control lists."""
    return name == "x-amz-acl" or name in _GRANT_HEADERS


def of_headers(headers: Mapping[str, str], *, is_bucket: bool) -> str | None:
    """The list that ``x-amz-acl`` or ``x-amz-grant-*`` mean. Raises InvalidArgument, InvalidRequest (both)."""
    found = [(name, value) for name, value in headers.items() if is_header(name.lower())]
    canned = [value for name, value in found if name.lower() == "x-amz-acl"]
    if not canned:
        granted = [grant for name, value in found for grant in _of_header(name, value)]
        return stored(granted) if found else None
    if len(found) > 1:
        raise S3Error("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
    others = _CANNED.get(canned[0])
    if others is None or (canned[0] == _OF_BUCKETS_ONLY and not is_bucket):
        raise S3Error("InvalidArgument", elements={"ArgumentName": "x-amz-acl", "ArgumentValue": canned[0]})
    return stored([OWNERS, *others])


def of_document(policy: Mapping[str, Any]) -> str | None:
    """The list of an AccessControlPolicy document. Who the grantees are is not looked up. Raises MalformedACLError,
    InvalidArgument (a group that S3 does not have)."""
    granted = policy.get("Grants")
    if granted is None or not (policy.get("Owner") or {}).get("ID"):
        raise S3Error("MalformedACLError")
    return stored([_checked(grant) for grant in granted])


def stored(granted: list[Grant]) -> str | None:
    """As the columns hold it. Raises MalformedACLError for too many."""
    if len(granted) > _LIMIT:
        raise S3Error("MalformedACLError")
    return None if granted == [OWNERS] else json.dumps(granted)


def members(text: str | None) -> dict[str, Any]:
    """The output members of GetBucketAcl and GetObjectAcl."""
    return {"Owner": OWNER, "Grants": [OWNERS] if text is None else json.loads(text)}


def is_public(text: str | None) -> bool:
    """Whether others than the accounts that it names have any right ("The meaning of public")."""
    granted = [] if text is None else json.loads(text)
    return any(grant["Grantee"].get("URI") in (ALL_USERS, AUTHENTICATED_USERS) for grant in granted)


def _checked(grant: Grant) -> Grant:
    grantee, permission = grant.get("Grantee") or {}, grant.get("Permission")
    needed = _NEEDED.get(grantee.get("Type", ""))
    if permission not in _PERMISSIONS or needed is None or not grantee.get(needed):
        raise S3Error("MalformedACLError")
    return {"Grantee": _grantee(grantee["Type"], grantee[needed], grantee.get("DisplayName")), "Permission": permission}


def _of_header(name: str, value: str) -> list[Grant]:
    """The grants of ``id="...", uri="...", emailAddress="..."``."""
    found, end = [], 0
    types = {needed.lower(): kind for kind, needed in _NEEDED.items()}
    while end < len(value):
        match = _GRANTEE_IN_HEADER.match(value, end)
        if match is None:
            elements = {"ArgumentName": name.lower(), "ArgumentValue": value}
            raise S3Error("InvalidArgument", "Argument format not recognized", elements=elements)
        who = _grantee(types[match[1].lower()], match[2].strip().strip('"'), None)
        found.append({"Grantee": who, "Permission": _GRANT_HEADERS[name.lower()]})
        end = match.end()
    return found


def _grantee(kind: str, who: str, name: str | None) -> dict[str, str]:
    if kind == "Group" and who not in _GROUPS:
        raise S3Error("InvalidArgument", "Invalid group uri", elements={"ArgumentName": "uri", "ArgumentValue": who})
    if kind == "CanonicalUser" and who == OWNER["ID"]:
        name = OWNER["DisplayName"]
    return {"Type": kind, _NEEDED[kind]: who} | ({"DisplayName": name} if name and kind == "CanonicalUser" else {})
