"""Decisions of Open Policy Agent, in this process or by an OPA server. Knows nothing of queue and cache."""
