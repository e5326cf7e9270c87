"""What people have the cache do: purge, warm, pin."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule
from state_machine.cache_machine import Members
from state_machine.cache_oracle import AWAY_FOR
from state_machine.cache_remote import BUCKET
from state_machine.cache_rules import CacheRules

from s3d.read_cache.pins import BY_BUCKET_TAG, BY_COMMAND
from s3d.read_cache.warm import Progress
from s3d.s3 import codec
from s3d.s3.errors import S3Error

PREFIXES = st.sampled_from(("", "a", "a/"))


class CachePeople(CacheRules):
    def _calm(self) -> None:
        """Nothing goes on, and the remote is well."""
        self._end()
        self.clock.now += AWAY_FOR + 1
        self.go_on()

    def _is_wide(self) -> bool:
        """Whether there is room for everything, and nobody pins anything."""
        return self.config.max_size >= 1 << 30 and self.config.max_files >= 100 and not self.pins()

    @rule(prefix=PREFIXES)
    def purge(self, prefix: str) -> None:
        self.go_on()
        removed = self.run(self.cache.purge(BUCKET, prefix))
        self.came["purged"] += removed
        left = self.cache.page(BUCKET, prefix, ("", ""), 100)
        if not self.readings and not self.changes and not self.pins():
            assert not left, f"still there: {left}"

    @rule(prefix=PREFIXES)
    def warm(self, prefix: str) -> None:
        self.others.add(self.loop.create_task(self._warmed(prefix)))
        self.go_on()

    @rule(prefix=PREFIXES)
    def warm_and_get(self, prefix: str) -> None:
        """All that there is, is here."""
        self._calm()
        self.warm(prefix)
        self.came["warmed"] += 1
        if not self._is_wide():
            return
        for key, one in self.remote.model.store.buckets[BUCKET].objects.items():
            is_kept = len(one.data) <= self.config.largest and one.headers.get("Cache-Control") != "no-store"
            if key.startswith(prefix) and is_kept:
                entry = self.cache.key_document(BUCKET, key)
                assert entry is not None, f"{key!r} is not here"
                assert (entry["cached"], entry["etag"]) == (len(one.data), one.etag.strip('"')), f"{key!r}: {entry}"

    async def _warmed(self, prefix: str) -> None:
        progress = Progress()
        try:
            await self.cache.warm(BUCKET, prefix, None, 2, progress)
        except S3Error:
            assert self.remote.is_in_trouble(float("-inf")), "the remote lists, but it is said that it does not"

    @rule(prefix=PREFIXES)
    def pin(self, prefix: str) -> None:
        self.others.add(self.loop.create_task(self.cache.pin(BUCKET, prefix)))
        self.go_on()
        self.came["pinned"] += 1

    @rule()
    def unpin(self) -> None:
        """What was pinned by command and by tags; those of an object that is not there any more are not changed."""
        self._calm()
        for pin in self.cache.pins():
            tagging: Members = {"Bucket": BUCKET, "Tagging": {"TagSet": [{"Key": "x", "Value": "pin"}]}}
            if pin["by"] == BY_COMMAND:
                assert self.run(self.cache.unpin(BUCKET, pin["prefix"])), "it is no pin"
            elif pin["by"] == BY_BUCKET_TAG:
                self.send(codec.build_request("PutBucketTagging", tagging))
            else:
                self.send(codec.build_request("PutObjectTagging", tagging | {"Key": pin["prefix"]}))
        self.go_on()
