"""Which objects may be in the cache: the rules of `s3d.filters` for what the remote has."""

from __future__ import annotations

from collections.abc import Iterable

from s3d.filters.decide import By, Decision, Said, Use
from s3d.filters.facts import Facts, facts_of
from s3d.filters.rules import Rules
from s3d.read_cache.entry import Key
from s3d.read_cache.index import logged
from s3d.read_cache.known_tags import KnownTags
from s3d.read_cache.pins import BY_POLICY, Pin, Pins
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request
from s3d.s3.uri import parse_query
from s3d.standalone.version import key_bytes, key_text

_REASONS = {By.POLICY: "policy", By.OBJECT_TAG: "tag", By.BUCKET_TAG: "tag", By.FILTER: "filter"}


class Admission:
    """Of one cache."""

    def __init__(self, rules: Rules, tags: KnownTags, pins: Pins) -> None:
        self._rules = rules
        self._tags = tags
        self._pins = pins

    def by_name(self, at: Key) -> str | None:
        """Why an object is not kept whatever it is like, as far as its name and the tags that are known say so; None: it
        may be kept."""
        if self._pins.covers(at) or self._rules.policy is not None:  # that is asked when there is more to tell it
            return None
        facts = Facts(at[0], key_text(at[1]), tags=self._tags.of_object(at), bucket_tags=self._tags.of_bucket(at[0]))
        decision = self._rules.decide(Use.CACHE, facts)
        if decision.by is By.FILTER:
            filters = self._rules.cache
            return "filter" if filters is not None and not filters.may_match(*at_text(at)) else None
        return _reason(decision)

    async def of_version(
        self,
        at: Key,
        headers: Iterable[tuple[str, str]],
        size: int,
        *,
        untagged: bool = False,
    ) -> str | None:
        """Why a version is not kept; None: it is. ``untagged``: the remote said that it has no tags. Asks for tags if
        the rules need them; if the remote does not say, it is not kept."""
        if self._pins.is_wanted(at):
            return None
        filters = self._rules.cache
        tags, of_bucket = self._tags.of_object(at), self._tags.of_bucket(at[0])
        if untagged:
            tags = {}
        if filters is not None:
            if filters.needs_tags and not untagged:
                tags = await self._tags.object(at)
            if filters.needs_bucket_tags:
                of_bucket = await self._tags.bucket(at[0])
        known = facts_of(*at_text(at), size, headers, tags, of_bucket)
        said = await self._rules.ask("GetObject", known)
        if await self._pinned_by(said, at):
            return None
        return _reason(self._rules.decide(Use.CACHE, known, said))

    def of_request(self, request: S3Request, size: int) -> bool:
        """Whether what a PutObject writes is kept, as far as that is known."""
        at = request.bucket or "", key_bytes(request.key or "")
        if self._pins.covers(at) or (request.said is not None and request.said.pin):
            return True
        tags = dict(parse_query(request.headers.get("x-amz-tagging", "")))
        facts = facts_of(*at_text(at), size, request.headers.items(), tags, self._tags.of_bucket(at[0]))
        return self._rules.decide(Use.CACHE, facts, request.said).allowed is True

    async def still(self, at: Key, headers: Iterable[tuple[str, str]], size: int) -> bool:
        """Whether what was kept may stay, as far as that is known."""
        if self._pins.is_wanted(at):
            return True
        facts = facts_of(*at_text(at), size, headers, self._tags.of_object(at), self._tags.of_bucket(at[0]))
        said = await self._rules.ask("GetObject", facts)
        if await self._pinned_by(said, at):
            return True
        return (said is not None and said.failed) or self._rules.decide(Use.CACHE, facts, said).allowed is not False

    async def written(self, at: Key, said: Said | None) -> None:
        """What the policy said of an object that was written through this daemon."""
        await self._pinned_by(said, at)

    async def _pinned_by(self, said: Said | None, at: Key) -> bool:
        """Whether the policy pins it. While it gives no answer, what it said last counts."""
        pin = Pin(*at, BY_POLICY)
        is_pinned = self._pins.has(pin)
        if (said is not None and said.failed) or is_pinned == (wanted := said is not None and said.pin is True):
            return is_pinned
        try:
            if wanted:
                await self._pins.add(pin)
            else:
                await self._pins.remove(pin)
        except S3Error as error:
            logged(error)
        return wanted


def at_text(at: Key) -> tuple[str, str]:
    """Bucket and key as filters see them."""
    return at[0], key_text(at[1])


def _reason(decision: Decision) -> str | None:
    """As ``x-s3d-cache-reason`` says it."""
    return None if decision.allowed else _REASONS.get(decision.by, "filter")
