"""The read cache: a Backend around a Backend that answers reads from this machine's disk (docs/read-cache.md)."""
