"""Names of files that make the same directories in each run, so that each run passes the same points."""

from __future__ import annotations

import itertools
import secrets
from types import SimpleNamespace
from typing import Any


def few_directories(module: Any) -> None:
    """Files that ``module`` names are in three directories from now on, in this process."""
    first, real = itertools.cycle(("00", "80", "ff")), secrets.token_hex
    module.secrets = SimpleNamespace(token_hex=lambda size: next(first) + real(size - 1))
