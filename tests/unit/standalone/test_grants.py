from __future__ import annotations

import json
from typing import Any

import pytest
from multidict import CIMultiDict

from s3d.s3.errors import S3Error
from s3d.standalone import grants
from s3d.standalone.bucket import OWNER

OWNERS = {"Grantee": {"Type": "CanonicalUser", **OWNER}, "Permission": "FULL_CONTROL"}
EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"


def of_headers(headers: dict[str, str], *, is_bucket: bool = False) -> Any:
    text = grants.of_headers(CIMultiDict(headers), is_bucket=is_bucket)
    return None if text is None else json.loads(text)


def group(name: str, permission: str) -> dict[str, Any]:
    return {"Grantee": {"Type": "Group", "URI": f"http://acs.amazonaws.com/groups/{name}"}, "Permission": permission}


@pytest.mark.parametrize(
    ("canned", "expected"),
    [
        ("private", None),
        ("bucket-owner-read", None),
        ("bucket-owner-full-control", None),
        ("public-read", [OWNERS, group("global/AllUsers", "READ")]),
        ("public-read-write", [OWNERS, group("global/AllUsers", "READ"), group("global/AllUsers", "WRITE")]),
        ("authenticated-read", [OWNERS, group("global/AuthenticatedUsers", "READ")]),
    ],
)
def test_canned_lists(canned: str, expected: Any) -> None:
    assert of_headers({"x-amz-acl": canned}) == expected
    assert of_headers({"X-Amz-Acl": canned}, is_bucket=True) == expected


def test_lists_for_other_services() -> None:
    assert [grant["Permission"] for grant in of_headers({"x-amz-acl": "aws-exec-read"})] == ["FULL_CONTROL", "READ"]
    logs = [OWNERS, group("s3/LogDelivery", "WRITE"), group("s3/LogDelivery", "READ_ACP")]
    assert of_headers({"x-amz-acl": "log-delivery-write"}, is_bucket=True) == logs


@pytest.mark.parametrize("canned", ["", "Private", "nobody", "log-delivery-write"])
def test_names_that_no_list_of_an_object_has(canned: str) -> None:
    with pytest.raises(S3Error) as refused:
        of_headers({"x-amz-acl": canned})
    assert refused.value.code == "InvalidArgument"
    assert refused.value.elements == {"ArgumentName": "x-amz-acl", "ArgumentValue": canned}


def test_no_list() -> None:
    assert of_headers({"Content-Type": "text/plain", "x-amz-acl-x": "private"}) is None


def test_grants_in_headers() -> None:
    found = of_headers(
        {
            "x-amz-grant-read": f'id="abc", uri="{EVERYBODY}"',
            "X-Amz-Grant-Write-Acp": "emailAddress=a@example.com,ID=def",
            "x-amz-grant-full-control": f'id="{OWNER["ID"]}"',
        }
    )
    assert found == [
        {"Grantee": {"Type": "CanonicalUser", "ID": "abc"}, "Permission": "READ"},
        {"Grantee": {"Type": "Group", "URI": EVERYBODY}, "Permission": "READ"},
        {"Grantee": {"Type": "AmazonCustomerByEmail", "EmailAddress": "a@example.com"}, "Permission": "WRITE_ACP"},
        {"Grantee": {"Type": "CanonicalUser", "ID": "def"}, "Permission": "WRITE_ACP"},
        OWNERS,
    ]


@pytest.mark.parametrize(
    "value", ["abc", 'id="abc" uri="x"', "name=abc", 'id="abc', ",", 'uri="http://example.com/group"']
)
def test_grants_that_are_none(value: str) -> None:
    with pytest.raises(S3Error) as refused:
        of_headers({"x-amz-grant-read": value})
    assert refused.value.code == "InvalidArgument"


def test_both_ways_at_once() -> None:
    with pytest.raises(S3Error) as refused:
        of_headers({"x-amz-acl": "private", "x-amz-grant-read": "id=a"})
    assert refused.value.code == "InvalidRequest"


def test_a_document() -> None:
    granted = [
        {"Grantee": {"Type": "CanonicalUser", "ID": "abc", "DisplayName": "Abc"}, "Permission": "READ"},
        {"Grantee": {"Type": "CanonicalUser", "ID": OWNER["ID"]}, "Permission": "FULL_CONTROL"},
    ]
    text = grants.of_document({"Owner": {"ID": "whoever"}, "Grants": granted})
    assert grants.members(text) == {"Owner": OWNER, "Grants": [granted[0], OWNERS]}
    assert grants.of_document({"Owner": {"ID": "whoever"}, "Grants": [granted[1]]}) is None
    nothing = grants.of_document({"Owner": {"ID": "whoever"}, "Grants": []})
    assert grants.members(nothing)["Grants"] == []
    assert grants.members(None)["Grants"] == [OWNERS]


USER = {"Type": "CanonicalUser", "ID": "abc"}


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"Owner": {"ID": "a"}},
        {"Grants": []},
        {"Owner": {}, "Grants": []},
        {"Owner": {"ID": "a"}, "Grants": [{"Grantee": USER}]},
        {"Owner": {"ID": "a"}, "Grants": [{"Permission": "READ"}]},
        {"Owner": {"ID": "a"}, "Grants": [{"Grantee": USER, "Permission": "read"}]},
        {"Owner": {"ID": "a"}, "Grants": [{"Grantee": {"Type": "CanonicalUser"}, "Permission": "READ"}]},
        {"Owner": {"ID": "a"}, "Grants": [{"Grantee": {"Type": "Group", "ID": "a"}, "Permission": "READ"}]},
        {"Owner": {"ID": "a"}, "Grants": [{"Grantee": {"Type": "Robot", "ID": "a"}, "Permission": "READ"}]},
        {"Owner": {"ID": "a"}, "Grants": [{"Grantee": USER, "Permission": "READ"}] * 101},
    ],
)
def test_documents_that_are_none(policy: dict[str, Any]) -> None:
    with pytest.raises(S3Error) as refused:
        grants.of_document(policy)
    assert refused.value.code == "MalformedACLError"


def test_what_is_public() -> None:
    def public(canned: str) -> bool:
        return grants.is_public(grants.of_headers(CIMultiDict({"x-amz-acl": canned}), is_bucket=True))

    assert public("public-read")
    assert public("authenticated-read")
    assert not public("private")
    assert not public("log-delivery-write")
    assert not public("aws-exec-read")


@pytest.mark.parametrize("text", ['id={}"', "{}id", 'id="x"{}y', 'id={}"x"y', 'id="{}'])
def test_spaces_cost_no_time(text: str) -> None:
    """With 16 KiB of them, the most that a header has, trying all ways of sharing them out would take hours."""
    with pytest.raises(S3Error, match="InvalidArgument"):
        grants.of_headers({"x-amz-grant-read": text.format(" " * 16000)}, is_bucket=False)
