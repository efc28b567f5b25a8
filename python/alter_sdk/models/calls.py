"""What a call leaves behind besides its answer: retries inside the vault, and the state of its rate limit."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (pydantic reads it when the class is made)

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator


class RetryErrorInfo(BaseModel):
    """One failed attempt of the vault to get a credential."""

    model_config = ConfigDict(frozen=True)

    attempt: StrictInt = Field(ge=1)
    """Which attempt it was, counted from 1."""
    error: StrictStr = Field(max_length=500)
    error_type: StrictStr
    delay_s: float = Field(ge=0.0, strict=True)
    """Seconds that the vault waited after it."""
    permanent: StrictBool = False


class RetryInfo(BaseModel):
    """How often the vault tried to get a credential before it had one."""

    model_config = ConfigDict(frozen=True)

    total_attempts: StrictInt = Field(ge=1)
    successful_attempt: StrictInt = Field(ge=0)
    """The attempt that succeeded, counted from 1; 0 if none did."""
    errors: tuple[RetryErrorInfo, ...] = ()

    @model_validator(mode="after")
    def _successful_attempt_was_made(self) -> RetryInfo:
        if self.successful_attempt > self.total_attempts:
            raise ValueError("successful_attempt must not exceed total_attempts")
        return self


class RateLimitSnapshot(BaseModel):
    """The key's rate limit, as the vault's last answer told it."""

    model_config = ConfigDict(frozen=True)

    limit: int = Field(ge=0)
    """Requests allowed in the present window."""
    remaining: int = Field(ge=0)
    """Requests left in it."""
    reset_at: datetime
    """When the next window begins (UTC)."""
