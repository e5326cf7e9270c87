"""Which operation a request means.

S3 has one path for everything about a bucket or a key; the query, and for copies a header, says what is meant. For each
method and level the model gives

    discriminators   query names that an operation requires (``acl``, ``uploads``, ``id``, ``uploadId``, ...)
    operations       set of the discriminators present -> operation

and a request is the operation whose discriminators are exactly those that it has. A request that this does not settle
(two subresources at once, a parameter that no operation here knows) is `UNKNOWN`: forwarded untouched, never taken for the
plain operation. For the rest of the parameters: a read may carry those of its siblings (S3 ignores them, and clients do
send ``marker`` next to ``list-type=2``); a change may carry its own only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from s3d.s3 import model
from s3d.s3.message import Query

UNKNOWN = "Unknown"
FORM_UPLOAD = "PostObject"
"""An upload by a browser's form: the name of the object is in its body."""

_HINT = "x-id"
"""SDKs name the operation in it; any request may have it."""

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Route:
    """One operation, and what a request must have beside its discriminators to be it."""

    operation: str
    header: str | None
    """A header that must be there."""
    bucket: str | None
    """What must stand in the place of the bucket."""
    form: bool
    """Whether the body must be a browser's form."""
    any_query: bool
    literals: tuple[tuple[str, str], ...]
    """Discriminators whose value counts, as in ``list-type=2``."""
    parameters: frozenset[str]
    """All parameters that it may have."""
    twins: frozenset[str]
    """Operations with the same request line, meant only if ``x-id`` says so."""


@dataclass(frozen=True, slots=True)
class _Table:
    """The operations of one method and level; those with the same discriminators in the order of trial."""

    discriminators: frozenset[str]
    routes: Mapping[frozenset[str], tuple[_Route, ...]]


def route(method: str, bucket: str | None, key: str | None, query: Query, headers: Mapping[str, str]) -> str:
    """The operation's name, or `UNKNOWN`. ``headers`` must compare names without case."""
    table = _table(method, "object" if key else "bucket" if bucket else "root")
    if not query:
        found = _select(table.routes.get(_NONE, ()), bucket, headers)
        return found.operation if found else UNKNOWN
    names = frozenset([name for name, _ in query if name in table.discriminators])
    found = _select(table.routes.get(names, ()), bucket, headers)
    if found is None or not _accepts(found, query):
        return UNKNOWN
    if found.twins:
        hint = next((value for name, value in query if name == _HINT), "")
        return hint if hint in found.twins else found.operation
    return found.operation


def route_leniently(
    method: str, bucket: str | None, key: str | None, query: Query, headers: Mapping[str, str]
) -> tuple[str, Query]:
    """The operation and its query as S3 itself reads them: parameters that nobody knows are ignored.

    For who answers requests, not for who forwards them. In a change only those with a value are ignored: what names a
    subresource has none, and an operation that is not known here must not be taken for a PutObject.
    """
    known = _known()
    may_ignore = method in ("GET", "HEAD")
    kept = [(name, value) for name, value in query if name in known or not (value or may_ignore)]
    return route(method, bucket, key, kept, headers), kept


def readings(method: str, bucket: str | None, key: str | None, query: Query, headers: Mapping[str, str]) -> list[str]:
    """The operations that a server may take an `UNKNOWN` request for: one that ignores what it does not know in the query,
    or of two subresources at once all but one. For who has to know what a request could do, before it is sent on."""
    known = [pair for pair in query if pair[0] in _known()]
    found = [route(method.upper(), bucket, key, taken, headers) for taken in ([], known, *([pair] for pair in known))]
    return list(dict.fromkeys(operation for operation in found if operation != UNKNOWN))


@cache
def _known() -> frozenset[str]:
    """Every parameter of every operation."""
    return frozenset({_HINT}.union(*map(_parameters, model.OPERATIONS.values())))


def _select(routes: Iterable[_Route], bucket: str | None, headers: Mapping[str, str]) -> _Route | None:
    """The first route whose conditions beside the query hold."""
    for found in routes:
        if found.header is not None and found.header not in headers:
            continue
        if found.bucket is not None and found.bucket != bucket:
            continue
        if found.form and not headers.get("Content-Type", "").lower().startswith("multipart/form-data"):
            continue
        return found
    return None


def _accepts(found: _Route, query: Query) -> bool:
    """Whether the operation may have these parameters, and the literal ones the right values."""
    if found.any_query:
        return True
    for name, _ in query:
        if name not in found.parameters and name != _HINT:
            return False
    return not found.literals or _literals_hold(found.literals, query)


def _literals_hold(literals: Iterable[tuple[str, str]], query: Query) -> bool:
    values = dict(reversed(query))  # of a parameter given twice the first counts
    return all(values[name] == value for name, value in literals)


@cache
def _table(method: str, level: str) -> _Table:
    """Compiled at the first request of its kind."""
    operations = model.with_request_line(method, level)
    groups: dict[frozenset[str], list[model.Operation]] = {}
    for operation in operations:
        if operation.twin_of is None:
            groups.setdefault(_required(operation), []).append(operation)
    discriminators = _NONE.union(*groups)
    siblings = _NONE.union(*map(_parameters, operations)) - discriminators if method in ("GET", "HEAD") else _NONE
    twins = {operation.name: operation.twin_of for operation in operations if operation.twin_of}
    routes = {
        names: tuple(_route(operation, siblings, twins) for operation in sorted(group, key=_order))
        for names, group in groups.items()
    }
    return _Table(discriminators, routes)


def _route(operation: model.Operation, siblings: frozenset[str], twins: Mapping[str, str]) -> _Route:
    return _Route(
        operation.name,
        header=next(iter(operation.header_discriminators), None),
        bucket=operation.bucket,
        form=operation.form,
        any_query=operation.any_query,
        literals=tuple((name, value) for name, value in operation.query.items() if value),
        parameters=_parameters(operation) | siblings,
        twins=frozenset(twin for twin, canonical in twins.items() if canonical == operation.name),
    )


def _order(operation: model.Operation) -> bool:
    """Operations with a condition beside the query come before the one without."""
    return not (operation.header_discriminators or operation.form)


def _required(operation: model.Operation) -> frozenset[str]:
    """The discriminators of an operation."""
    needed = (member.wire for member in operation.input if member.location == "query" and member.required)
    return frozenset((*operation.query, *needed))


def _parameters(operation: model.Operation) -> frozenset[str]:
    """Every parameter that an operation may have."""
    return frozenset((*operation.query, *(member.wire for member in operation.input if member.location == "query")))
