"""What is known about a token, without the token."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

_SECRET_CREDENTIALS = frozenset({"secret_key", "session_token"})


class TokenResponse(BaseModel):
    """The metadata of a token. The constructor asks for the token itself and keeps nothing of it."""

    model_config = ConfigDict(frozen=True)

    token_type: str = "Bearer"  # noqa: S105 (the name of a scheme)
    expires_in: int | None = None
    expires_at: datetime | None = None
    """The earlier of the token's own expiry and the grant's end."""
    token_expires_at: datetime | None = None
    grant_expires_at: datetime | None = None
    scopes: list[str] = Field(default_factory=list[str])
    grant_id: str
    provider_id: str | None = None
    scope_mismatch: bool = False
    injection_header: str = Field(default="Authorization", exclude=True)
    injection_format: str = Field(default="Bearer {token}", exclude=True)
    additional_credentials: dict[str, str] | None = Field(default=None, exclude=True)
    additional_injections: list[dict[str, str]] | None = Field(default=None, exclude=True)

    def __init__(self, *, access_token: str, **data: Any) -> None:
        del access_token
        super().__init__(**data)

    @field_validator("expires_at", "token_expires_at", "grant_expires_at", mode="after")
    @classmethod
    def _utc_unless_said(cls, value: datetime | None) -> datetime | None:
        return value.replace(tzinfo=timezone.utc) if value is not None and value.tzinfo is None else value

    @field_validator("additional_credentials", mode="after")
    @classmethod
    def _without_secrets(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        return {k: v for k, v in (value or {}).items() if k not in _SECRET_CREDENTIALS} or None

    def is_expired(self, buffer_seconds: int = 0) -> bool:
        """Whether the token ends within `buffer_seconds`; false if its end is not known."""
        return _ends_within(self.expires_at, buffer_seconds)

    def needs_refresh(self, buffer_seconds: int = 300) -> bool:
        """Whether the token itself, apart from the grant, ends within `buffer_seconds`."""
        if self.token_expires_at is not None:
            return _ends_within(self.token_expires_at, buffer_seconds)
        return self.grant_expires_at is None and _ends_within(self.expires_at, buffer_seconds)

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in ("token_type", "grant_id", "expires_at", "scopes"))
        return f"TokenResponse({', '.join(shown)})"

    __str__ = __repr__


def _ends_within(end: datetime | None, seconds: int) -> bool:
    return end is not None and end <= datetime.now(timezone.utc) + timedelta(seconds=seconds)
