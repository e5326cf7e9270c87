"""What decides. Another one is one more entry of `ENGINES`: a function that prepares a case and returns what is called for
each decision."""

from __future__ import annotations

from collections.abc import Callable

from decisions import policies
from decisions.cases import Case

from s3d.filters.decide import Use, decide
from s3d.filters.facts import Facts
from s3d.filters.match import Filters

Decide = Callable[[Facts], bool | None]
Engine = Callable[[Case], Decide | None]
"""None: it does not take part in this case."""


def _filter(case: Case) -> Decide:
    """The compiled filter alone."""
    return Filters.of(case.text).matches


def _decision(case: Case) -> Decide:
    """With what goes first: tags of the object and of the bucket."""
    filters = Filters.of(case.text)
    return lambda facts: decide(Use.UPLOAD, filters, facts).allowed


ENGINES: dict[str, Engine] = {
    "filter": _filter,
    "decision": _decision,
    "policy": policies.own_engine,
    "OPA server": policies.server,
}
