"""Access control lists: kept and given back. There is one owner, who may do everything."""

from __future__ import annotations

from multidict import CIMultiDict


def of_headers(headers: CIMultiDict[str]) -> str | None:
    """The grants that ``x-amz-acl`` or ``x-amz-grant-*`` name, as they are stored. Raises InvalidArgument."""
    return None
