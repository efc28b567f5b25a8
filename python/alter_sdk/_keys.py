"""API keys as text."""

from __future__ import annotations

from alter_sdk import _engine


def is_valid_key(value: object) -> bool:
    """Whether a value is a well-formed API key, its check digits included. Never raises.

    It finds typing errors before anything is sent; whether the vault knows the key is another question.
    """
    return isinstance(value, str) and _engine.is_valid_key(value)
