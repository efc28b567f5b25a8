"""The row that a client reports to the vault about each call it made."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, cast
from uuid import UUID  # noqa: TC003 (pydantic reads it when the class is made)

from pydantic import BaseModel, Field

from alter_sdk import _engine


class APICallAuditLog(BaseModel):
    """One call to a provider. Unlike other models it can be changed."""

    grant_id: UUID
    provider_id: str
    token_generation: UUID | None = None
    method: str
    url: str
    request_headers: dict[str, str] | None = None
    request_body: Any | None = None
    response_status: int
    """HTTP status; 0 if there was no answer."""
    response_headers: dict[str, str] | None = None
    response_body: Any | None = None
    latency_ms: int
    timestamp: datetime = Field(default_factory=lambda: datetime.now(timezone.utc), exclude=True)
    reason: str | None = None
    context: dict[str, str] | None = None

    def sanitize(self) -> dict[str, Any]:
        """The row as it may be stored: without the headers that carry credentials."""
        row = self.model_dump(mode="json")
        for name in ("request_headers", "response_headers"):
            headers = row[name]
            if isinstance(headers, dict):
                headers = cast("dict[str, str]", headers)
                row[name] = {key: value for key, value in headers.items() if not _engine.is_sensitive_header(key)}
        return row
