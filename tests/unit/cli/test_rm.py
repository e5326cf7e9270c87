"""``s3d rm`` over the reference model."""

from __future__ import annotations

from typing import Any

import pytest
from multidict import CIMultiDict

from s3d.cli.rm import fits_xml
from s3d.s3.message import S3Response


def test_objects_by_name(shell: Any) -> None:
    for key in ("a", "b", "c"):
        shell.put(key)
    assert shell("rm", "bucket/a", "s3://bucket/c") == (0, "", "")
    assert shell.keys() == ["b"]


def test_a_missing_object_is_a_failure_and_the_others_go(shell: Any) -> None:
    shell.put("b")
    code, _, err = shell("rm", "bucket/a", "bucket/b")
    assert (code, err) == (1, "s3d: NotFound: There is no such bucket or key. (bucket/a)\n")
    assert shell.keys() == []


def test_force_does_not_mind_missing_objects(shell: Any, backend: Any) -> None:
    assert shell("rm", "--force", "bucket/a") == (0, "", "")
    assert backend.operations() == ["DeleteObject"]
    assert shell("rm", "--force", "missing/a")[0] == 1


def test_recursive_deletes_what_begins_with_the_prefix(shell: Any, backend: Any) -> None:
    for key in ("p/a", "p/b/c", "p2", "q"):
        shell.put(key)
    assert shell("rm", "-r", "-v", "bucket/p/") == (0, "deleted bucket/p/a\ndeleted bucket/p/b/c\n", "")
    assert backend.operations() == ["ListObjectsV2", "DeleteObjects"]
    assert shell.keys() == ["p2", "q"]


def test_dry_run_deletes_nothing(shell: Any) -> None:
    shell.put("a")
    assert shell("rm", "-n", "bucket/a")[1] == "would delete bucket/a\n"
    assert shell("rm", "-n", "-r", "bucket/a")[1] == "would delete bucket/a\n"
    assert shell.keys() == ["a"]


def test_batches_have_a_thousand_keys(shell: Any, backend: Any) -> None:
    shell.put("seed")
    objects = backend.inner.store.buckets["bucket"].objects
    for number in range(2100):
        objects[f"k{number:04}"] = objects["seed"]
    assert shell("rm", "-r", "bucket/k")[0] == 0
    batches = [request.body.count(b"<Object>") for request in backend.requests if request.operation == "DeleteObjects"]
    assert batches == [1000, 1000, 100]
    assert shell.keys() == ["seed"]


def test_keys_that_xml_cannot_carry_go_one_by_one(shell: Any, backend: Any) -> None:
    for key in ("p/ok", "p/\x01", "p/\udcff", "p/new\nline"):
        shell.put(key)
    assert shell("rm", "-r", "bucket/p/")[0] == 0
    assert shell.keys() == []
    assert backend.operations().count("DeleteObject") == 3


def test_each_error_of_a_batch_is_told(shell: Any, backend: Any) -> None:
    shell.put("p/a")
    shell.put("p/b")
    refusal = (
        b"<DeleteResult><Error><Key>p/a</Key><Code>AccessDenied</Code><Message>No.</Message></Error></DeleteResult>"
    )

    def refuse(request: Any) -> S3Response | None:
        headers = CIMultiDict({"Content-Length": str(len(refusal))})
        return S3Response(200, headers, refusal) if request.operation == "DeleteObjects" else None

    backend.fail = refuse
    assert shell("rm", "-r", "-v", "bucket/p/") == (1, "deleted bucket/p/b\n", "s3d: AccessDenied: No. (bucket/p/a)\n")


def test_nothing_to_delete_is_a_failure_without_force(shell: Any) -> None:
    assert shell("rm", "-r", "bucket/x") == (1, "", "s3d: There is nothing to delete. (bucket/x)\n")
    assert shell("rm", "-r", "-f", "bucket/x")[0] == 0


def test_a_whole_bucket_takes_both_flags(shell: Any) -> None:
    shell.put("a")
    assert shell("rm", "bucket")[0] == 2
    assert shell("rm", "-r", "bucket")[0] == 2
    assert shell("rm", "-f", "bucket")[0] == 2
    assert shell.keys() == ["a"]
    assert shell("rm", "-r", "-f", "bucket")[0] == 0
    assert shell.keys() == []


def test_a_version_is_one_version(shell: Any, backend: Any) -> None:
    shell("rm", "-f", "--version-id", "v1", "bucket/a")
    assert backend.requests[-1].parameter("versionId") == "v1"
    assert shell("rm", "-r", "--version-id", "v1", "bucket/a")[0] == 2


@pytest.mark.parametrize(
    ("key", "fits"), [("a/é😀 +", True), ("\n", False), ("\x7f", False), ("\udc80", False), ("\uffff", False)]
)
def test_fits_xml(key: str, *, fits: bool) -> None:
    assert fits_xml(key) is fits
