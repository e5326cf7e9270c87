"""Names of uploads."""

from __future__ import annotations

import pytest

from s3d.standalone.upload import id_of, id_prefix, new_upload_id


@pytest.mark.parametrize("number", [0, 1, 1_700_000_000_000_000, (1 << 63) - 1])
def test_an_id_has_its_order(number: int) -> None:
    text = new_upload_id(number)
    assert (len(text), id_of(text)) == (48, number)
    assert text.startswith(id_prefix(number))
    assert new_upload_id(number) != text


def test_ids_sort_by_their_order() -> None:
    texts = [new_upload_id(number) for number in (9, 10, 255, 256, 1 << 60)]
    assert texts == sorted(texts)
    assert texts[1] < id_prefix(11) < texts[2]


@pytest.mark.parametrize(
    "text", ["", "x", "0" * 47, "0" * 49, "g" + "0" * 47, "A" + "0" * 47, "8" + "0" * 47, "٣" * 48]
)
def test_what_is_no_id(text: str) -> None:
    assert id_of(text) is None
