"""The one account of the model."""

from __future__ import annotations

OWNER = {"ID": "s3d-reference-model", "DisplayName": "s3d-reference-model"}
