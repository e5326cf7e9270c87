from __future__ import annotations

import re

import pytest
from multidict import CIMultiDict
from unit.standalone import opened
from unit.standalone.opened import BUCKET

from s3d.s3.errors import S3Error
from s3d.standalone.bucket import OWNER, check_expected_owner, find
from s3d.standalone.store import Store

backend, directory, store = opened.backend, opened.directory, opened.store


def test_a_bucket_is_found(store: Store) -> None:
    found = find(store.reader, BUCKET)
    assert (found.name, found.location, found.versioning) == (BUCKET, "", None)
    assert store.bucket(BUCKET) == found


@pytest.mark.parametrize("name", ["absent", BUCKET.upper(), "", "b\u00fccket", "\udcff", f"{BUCKET}\0"])
def test_a_bucket_that_is_not_there(store: Store, name: str) -> None:
    with pytest.raises(S3Error, match="NoSuchBucket") as raised:
        find(store.reader, name)
    assert raised.value.elements == {"BucketName": name}


def test_the_owner_has_the_form_of_s3() -> None:
    assert re.fullmatch("[0-9a-f]{64}", OWNER["ID"])


@pytest.mark.parametrize("owner", ["123456789012", "000000000000", OWNER["ID"]])
def test_any_account_is_the_expected_owner(owner: str) -> None:
    check_expected_owner(CIMultiDict({"x-amz-expected-bucket-owner": owner}))
    check_expected_owner(CIMultiDict({"x-amz-source-expected-bucket-owner": owner}))


@pytest.mark.parametrize("owner", ["", "me", "1234567890123", "12345678901\u00b2"])
@pytest.mark.parametrize("name", ["x-amz-expected-bucket-owner", "X-Amz-Source-Expected-Bucket-Owner"])
def test_an_expected_owner_that_is_no_account(name: str, owner: str) -> None:
    with pytest.raises(S3Error) as caught:
        check_expected_owner(CIMultiDict({name: owner}))
    assert caught.value.code == "InvalidBucketOwnerAWSAccountID"
