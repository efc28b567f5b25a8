"""The public models: what calls return, as frozen pydantic classes."""

from alter_sdk.models.audit import APICallAuditLog
from alter_sdk.models.calls import RateLimitSnapshot, RetryErrorInfo, RetryInfo
from alter_sdk.models.rules import RequestRule
from alter_sdk.models.token import TokenResponse

__all__ = [
    "APICallAuditLog",
    "RateLimitSnapshot",
    "RequestRule",
    "RetryErrorInfo",
    "RetryInfo",
    "TokenResponse",
]
