from __future__ import annotations

import re

import pytest
from unit.standalone import opened
from unit.standalone.opened import BUCKET

from s3d.s3.errors import S3Error
from s3d.standalone.bucket import OWNER, find
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
