from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3d.s3.codec import xml_read
from s3d.s3.codec.xml_write import NAMESPACE


def read(structure: str, body: bytes, *, strict: bool = True) -> object:
    return xml_read.content(structure, strict)(xml_read.parse(body))


@pytest.mark.parametrize(
    "root",
    ["Delete", f'Delete xmlns="{NAMESPACE}"', 'Delete xmlns="https://example.com/other"'],
)
def test_any_namespace_or_none(root: str) -> None:
    body = f"<{root}><Object><Key>a</Key></Object><Quiet>true</Quiet></Delete>".encode()
    assert read("Delete", body) == {"Objects": [{"Key": "a"}], "Quiet": True}


def test_prefixes_comments_and_unknown_elements() -> None:
    body = (
        b'<?xml version="1.0"?><!-- c --><s3:Delete xmlns:s3="urn:x"><s3:New><s3:Key>x</s3:Key></s3:New>'
        b"<s3:Object><s3:Key>a<!-- c -->b<![CDATA[<&]]></s3:Key></s3:Object></s3:Delete>"
    )
    assert read("Delete", body) == {"Objects": [{"Key": "ab<&"}]}


def test_text_is_taken_as_it_is() -> None:
    body = b"<Tag><Key> a&#13;&#10;&#9;&lt;\n</Key><Value/></Tag>"
    assert read("Tag", body) == {"Key": " a\r\n\t<\n", "Value": ""}


def test_wrapped_lists_and_attributes() -> None:
    body = (
        b'<AccessControlPolicy xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><AccessControlList><Grant>'
        b'<Grantee xsi:type="Group"><URI>u</URI></Grantee><Permission>READ</Permission></Grant><Other/>'
        b"</AccessControlList></AccessControlPolicy>"
    )
    grantee = {"Type": "Group", "URI": "u"}
    assert read("AccessControlPolicy", body) == {"Grants": [{"Grantee": grantee, "Permission": "READ"}]}
    assert read("Tagging", b"<Tagging><TagSet/></Tagging>") == {"TagSet": []}


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>'


@pytest.mark.parametrize(
    "body",
    [
        LAUGHS,
        LAUGHS.decode().encode("utf-16"),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><Delete/>',
        b"<!DOCTYPE Delete><Delete/>",
        b"",
        b"   ",
        b"<",
        b"<Delete>",
        b"<Delete></Other>",
        b"<Delete/><Delete/>",
        b"<Delete>&unknown;</Delete>",
        b"<Delete>\x00</Delete>",
        b"<Delete>&#0;</Delete>",
        b"<Delete>\xff</Delete>",
        b"<a:Delete/>",
        b'<?xml version="1.0" encoding="no-such"?><Delete/>',
        b'<?xml version="1.0" encoding="utf-7"?><Delete/>',
        b'<?xml version="1.0" encoding="hex"?><Delete/>',
        b'{"Delete": 1}',
    ],
)
def test_not_a_document(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"not well-formed|document type|encoding"):
        xml_read.parse(body)


@given(st.binary() | st.text("<>/!DOCTYPEa=\"'?&;# [").map(str.encode))
def test_bytes_are_parsed_or_refused(body: bytes) -> None:
    try:
        xml_read.parse(body)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either outcome is fine


def test_depth_is_no_danger() -> None:
    body = b"<Tag>" * 200_000 + b"</Tag>" * 200_000
    assert xml_read.content("Tag", strict=False)(xml_read.parse(body)) == {}


@pytest.mark.parametrize(
    ("structure", "body", "reason"),
    [
        ("Delete", b"<Delete/>", "Delete lacks Objects"),
        ("Tag", b"<Tag><Key>a</Key></Tag>", "Tag lacks Value"),
        ("Tag", b"<Tag><Key>a</Key><Key>b</Key><Value/></Tag>", "more than one Key"),
        ("Tag", b"<Tag><Key><x/></Key><Value/></Tag>", "Key is not a text"),
        ("ObjectIdentifier", b"<Object><Key>a</Key><Size>x</Size></Object>", "Size is not a valid long"),
        ("ObjectIdentifier", b"<Object><Key>a</Key><Size/></Object>", "Size is not a valid long"),
        ("Delete", b"<Delete><Object><Key>a</Key></Object><Quiet>x</Quiet></Delete>", "Quiet is not a valid boolean"),
        ("LifecycleExpiration", b"<Expiration><Date>soon</Date></Expiration>", "Date is not a valid iso8601"),
        ("Grantee", b"<Grantee><ID>x</ID></Grantee>", "Grantee lacks Type"),
    ],
)
def test_strict(structure: str, body: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(structure, body)


def test_lenient_takes_what_it_finds() -> None:
    body = b"<Tag><Key>a</Key><Key>b</Key></Tag>"
    assert read("Tag", body, strict=False) == {"Key": "b"}
    assert read("ObjectIdentifier", b"<Object><Key/><Size/></Object>", strict=False) == {"Key": ""}
    with pytest.raises(ValueError, match="Size is not a valid long"):
        read("ObjectIdentifier", b"<Object><Size>x</Size></Object>", strict=False)
