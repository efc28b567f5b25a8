"""Rules that narrow what a client may do."""

from __future__ import annotations

from typing import Any, TypedDict


class RequestRule(TypedDict):
    """A rule for `with_constraints`: the vault judges every call against it, and it can only deny."""

    rule_type: str
    rule_body: dict[str, Any]
    """Its keys go to the vault unchanged."""
