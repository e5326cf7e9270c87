from __future__ import annotations

import pytest

from s3d.s3 import model
from s3d.s3.model import OPERATIONS, Element, Member


def test_an_operation() -> None:
    put = OPERATIONS["PutObject"]
    assert (put.method, put.level, put.status, put.query) == ("PUT", "object", 200, {})
    assert put.input[0] == Member("ACL", "header", "x-amz-acl", "string", required=False)
    assert Member("Metadata", "headers", "x-amz-meta-", "{}string", required=False) in put.input
    assert Member("Body", "stream", "", "", required=False) in put.input
    assert put.checksum_algorithm == "ChecksumAlgorithm"
    assert OPERATIONS["PutObject"] is put


def test_literal_parameters_and_errors() -> None:
    assert OPERATIONS["ListObjectsV2"].query == {"list-type": "2"}
    assert OPERATIONS["AbortMultipartUpload"].errors == ("NoSuchUpload",)
    assert OPERATIONS["DeleteObjects"].checksum_required
    assert OPERATIONS["GetBucketLifecycle"].twin_of == "GetBucketLifecycleConfiguration"


def test_operations_is_a_mapping_of_all() -> None:
    assert len(OPERATIONS) == len(list(OPERATIONS)) >= 118
    assert all(OPERATIONS[name].name == name for name in OPERATIONS)
    assert "NoSuchOperation" not in OPERATIONS
    with pytest.raises(KeyError):
        OPERATIONS["NoSuchOperation"]


def test_every_type_is_known() -> None:
    """A type is a scalar, or names something in the table."""
    scalars = {"string", "integer", "long", "boolean", "iso8601", "rfc822", ""}
    seen: set[str] = set()

    def check(kind: str) -> None:
        kind = kind.rpartition("]")[2].removeprefix("{}")
        if kind in seen:
            return
        seen.add(kind)
        if model.is_structure(kind):
            for element in model.elements(kind):
                check(element.type)
        else:
            assert kind in scalars or model.enumeration(kind), kind

    for operation in OPERATIONS.values():
        for member in (*operation.input, *operation.output):
            check(member.type)
    assert "Tag" in seen


def test_structures() -> None:
    assert model.elements("Tag")[0] == Element("Key", "Key", "string", required=True, is_attribute=False)
    attributes = [element for element in model.elements("Grantee") if element.is_attribute]
    assert attributes == [Element("Type", "xsi:type", "string", required=True, is_attribute=True)]


def test_an_answer_with_elements_has_a_root() -> None:
    for operation in OPERATIONS.values():
        for members, root in ((operation.input, operation.input_root), (operation.output, operation.output_root)):
            in_xml = any(member.location in ("body", "payload", "root-text") for member in members)
            assert in_xml == (root is not None), operation.name


def test_with_request_line() -> None:
    names = {operation.name for operation in model.with_request_line("OPTIONS", "bucket")}
    assert names == {"PreflightRequest"}
    assert "ListBuckets" in {operation.name for operation in model.with_request_line("GET", "root")}
    assert model.with_request_line("OPTIONS", "root") == []
