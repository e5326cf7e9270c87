"""What a call of boto3 that fails says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def failure(call: Callable[..., Any], **members: Any) -> tuple[int, str]:
    """Status and code of the error; to HEAD the code is the status in digits."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]
