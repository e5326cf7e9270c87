from __future__ import annotations

import pytest

from s3d.s3.errors import S3Error
from s3d.standalone import bucket_name


@pytest.mark.parametrize("name", ["abc", "a1b", "3-d", "my.bucket.1", "a--b", "1.2.3", "x" * 63, "a.b"])
def test_names_that_are_taken(name: str) -> None:
    bucket_name.check(name)


@pytest.mark.parametrize(
    "name",
    [
        *("ab", "x" * 64, "Abc", "a_b", "-abc", "abc-", ".abc", "abc.", "a..b", "a.-b", "a-.b", "abc\n", "äöü", "a b"),
        *("192.168.5.4", "a/b/c", "ab\udcff"),
        *("xn--abc", "sthree-abc", "amzn-s3-demo-abc"),
        *("abc-s3alias", "abc--ol-s3", "abc.mrap", "abc--x-s3", "abc--table-s3"),
    ],
)
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(S3Error) as refused:
        bucket_name.check(name)
    assert refused.value.code == "InvalidBucketName"
    assert refused.value.elements == {"BucketName": name}


@pytest.mark.parametrize(
    ("constraint", "stored"),
    [(None, ""), ("", ""), ("us-east-1", ""), ("eu-west-1", "eu-west-1"), ("EU", "EU"), ("garage", "garage")],
)
def test_locations(constraint: str | None, stored: str) -> None:
    assert bucket_name.location(constraint) == stored


@pytest.mark.parametrize("constraint", ["eu west", "EU-WEST-1", "-", "eu--west", "x" * 65, "<>", "eu-west-1\n"])
def test_locations_that_are_nonsense(constraint: str) -> None:
    with pytest.raises(S3Error) as refused:
        bucket_name.location(constraint)
    assert refused.value.code == "InvalidLocationConstraint"


def test_the_regions_of_locations() -> None:
    assert [bucket_name.region(place) for place in ("", "EU", "us-west-2")] == ["us-east-1", "eu-west-1", "us-west-2"]
