"""The files of a policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from s3d.local.directory import CannotOpen

_TESTS = "_test.rego"
"""What OPA's own tool runs: no part of a policy."""


def modules(path: Path) -> dict[str, str]:
    """The Rego files of a file or a directory and what is below it: their text by path. Raises CannotOpen."""
    try:
        files = [path]
        if path.is_dir():
            files = sorted(file for file in path.rglob("*.rego") if not file.name.endswith(_TESTS))
        found = {str(file): file.read_text("utf-8") for file in files}
    except OSError as error:
        raise CannotOpen(f"the policy {error.filename or path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise CannotOpen(f"the policy {path} is no UTF-8 text") from error
    if not found:
        raise CannotOpen(f"the policy {path} is a directory without a .rego file")
    return found


def data(path: Path) -> dict[str, Any]:
    """What the files data.json of a directory say, those below it under the names of their directories, as in a bundle
    of OPA. Raises CannotOpen."""
    found: dict[str, Any] = {}
    for file in sorted(path.rglob("data.json")) if path.is_dir() else ():
        document: Any
        try:
            document = json.loads(file.read_bytes())
        except OSError as error:
            raise CannotOpen(f"{file} cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise CannotOpen(f"{file} is no JSON: {error}") from error
        if not isinstance(document, dict):
            raise CannotOpen(f"{file} is no JSON object")
        for name in reversed(file.parent.relative_to(path).parts):
            document = {name: document}
        _merge(found, document, file)
    return found


def _merge(into: dict[str, Any], more: dict[str, Any], file: Path) -> None:
    for name, value in more.items():
        there = into.get(name)
        if isinstance(there, dict) and isinstance(value, dict):
            _merge(there, value, file)
        elif name in into:
            raise CannotOpen(f"{file} sets {name}, which another data.json sets, too")
        else:
            into[name] = value
