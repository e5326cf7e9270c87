"""The filter language: which objects a rule is about. Pure; see docs/filters.md."""
