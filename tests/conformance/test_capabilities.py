"""The table of what peers lack names only what tests ask for."""

from __future__ import annotations

import re
from pathlib import Path

from conformance.capabilities import CAPABILITIES


def test_every_line_belongs_to_a_test() -> None:
    sources = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]
    named = {name for text in sources for name in re.findall(r'capability\("(\w+)"\)', text)}
    families = {name for text in sources for name in re.findall(r'cases\(\s*"(\w+)"', text)}
    for backend, lacking in CAPABILITIES.items():
        for name, reason in lacking.items():
            family = name.partition(":")[0] if ":" in name else None
            assert name in named or family in families, f"{backend}: no test needs {name}"
            assert reason
