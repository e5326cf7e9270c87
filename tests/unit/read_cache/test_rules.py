"""What is not kept, by the headers of an answer."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from s3d.read_cache.rules import unkept


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([], None),
        ([("Cache-Control", "max-age=5")], None),
        ([("Cache-Control", "max-age=5, No-Store")], "no-store"),
        ([("Cache-Control", "max-age=5"), ("Cache-Control", "no-store")], "no-store"),
        ([("Cache-Control", 'private="a"')], "no-store"),
        ([("x-amz-server-side-encryption-customer-algorithm", "AES256")], "customer-key"),
        ([("ETag", 'W/"b"')], "encoded"),
    ],
)
def test_headers(fields: list[tuple[str, str]], reason: str | None) -> None:
    headers = CIMultiDict([("ETag", '"a"')])
    headers.update(CIMultiDict(fields[:1]))
    headers.extend(fields[1:])
    assert unkept(headers, 10, 100) == reason


def test_sizes() -> None:
    headers = CIMultiDict({"ETag": '"a"'})
    assert [unkept(headers, size, 100) for size in (None, 100, 101)] == ["encoded", None, "size"]
