"""Which digest of an object is checked, and that it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from multidict import CIMultiDict

from s3d.cli.digest import expected
from s3d.cli.errors import Failure

MD5 = "5d41402abc4b2a76b9719d911017c592"


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"ETag": f'"{MD5}"'}, "ETag (MD5)"),
        ({"ETag": f'"{MD5}-2"'}, None),
        ({"ETag": f'"{MD5}"', "x-amz-server-side-encryption": "AES256"}, "ETag (MD5)"),
        ({"ETag": f'"{MD5}"', "x-amz-server-side-encryption": "aws:kms"}, None),
        ({"ETag": f'"{MD5}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"}, None),
        ({"ETag": '"' + "z" * 32 + '"'}, None),
        ({"x-amz-checksum-crc32": "NhCmhg==", "ETag": "x"}, "CRC32"),
        ({"x-amz-checksum-crc32": "NhCmhg==", "x-amz-checksum-type": "COMPOSITE"}, None),
        ({"x-amz-checksum-crc32": "NhCmhg==-2"}, None),
        ({"x-amz-checksum-crc64nvme": "M3eFcAZSQlc=", "x-amz-checksum-type": "FULL_OBJECT"}, "CRC64NVME"),
        ({}, None),
    ],
)
def test_which_digest_is_checked(headers: dict[str, str], name: str | None) -> None:
    digest = expected(CIMultiDict(headers))
    assert (digest.name if digest else None) == name
    if digest is not None:
        digest.update(b"hello")
        digest.verify("bucket/key")


def test_other_bytes_are_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "f"
    for data in (b"hallo", b"hell", b""):
        path.write_bytes(data)
        digest = expected(CIMultiDict({"ETag": f'"{MD5}"'}))
        assert digest is not None
        with pytest.raises(Failure, match=r"the ETag \(MD5\) does not match. \(b/k\)"):
            digest.verify_file(path, "b/k")
