from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import botocore.loaders
import pytest

from s3d.s3.model import OPERATIONS

TOOLS = Path(__file__).parents[3] / "tools"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        return importlib.import_module("generate_model")


def test_the_table_is_what_the_generator_writes(generator: ModuleType) -> None:
    assert generator.main(["--check"]) == 0


def test_check_notices_a_change(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "_model.py"
    monkeypatch.setattr(generator, "TARGET", target)
    assert generator.main(["--check"]) == 1
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0
    target.write_text(target.read_text().replace("'x-amz-acl'", "'x-amz-acl2'"))
    assert generator.main(["--check"]) == 1
    assert "run it and review" in capsys.readouterr().err


def test_every_operation_of_botocore_is_in_the_table() -> None:
    model = botocore.loaders.Loader().load_service_model("s3", "service-2")
    assert set(OPERATIONS) == {*model["operations"], "PostObject", "PreflightRequest"}


def test_every_patch_has_a_reason(generator: ModuleType) -> None:
    patches = sys.modules["model_patches"]
    tables = (patches.HEADER_DISCRIMINATORS, patches.OPAQUE_MEMBERS, patches.CLOSED_ENUMERATIONS)
    tables += (patches.TEXT_ROOTS, patches.STREAMS, patches.DROPPED_MEMBERS)
    reasons = [patch.reason for patch in patches.OPERATION_PATCHES]
    reasons += [reason for table in tables for reason in table.values()]
    reasons += [reason for _, reason in (*patches.CANONICAL.values(), *patches.ADDED_OPERATIONS.values())]
    assert all(len(reason) > 10 for reason in reasons)


def test_a_patch_that_changes_nothing_is_an_error(generator: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    patches = sys.modules["model_patches"]
    idle = patches.Patch("DeleteObject", "status", 204, "the model says so already")
    monkeypatch.setattr(patches, "OPERATION_PATCHES", (*patches.OPERATION_PATCHES, idle))
    with pytest.raises(ValueError, match=r"DeleteObject\.status changes nothing"):
        generator.generate()


def test_a_type_that_is_new_to_the_generator_is_an_error(generator: ModuleType) -> None:
    model = {"operations": {}, "shapes": {"Odd": {"type": "document"}}}
    with pytest.raises(ValueError, match="type document is not known"):
        generator.Model(model).type_of({"shape": "Odd"}, "iso8601")


def test_members_with_one_element_name_are_an_error(generator: ModuleType) -> None:
    members = {"A": {"shape": "Text"}, "B": {"shape": "Text", "locationName": "A"}}
    model = {
        "operations": {},
        "shapes": {"Twice": {"type": "structure", "members": members}, "Text": {"type": "string"}},
    }
    with pytest.raises(ValueError, match="two members are the same element"):
        generator.Model(model).type_of({"shape": "Twice"}, "iso8601")
