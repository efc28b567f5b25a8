"""The engine's errors as exceptions: one table for all classes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from alter_sdk import exceptions
from alter_sdk._error_parts import restore

if TYPE_CHECKING:
    from collections.abc import Callable

# Attributes that are more than JSON. Everything else is as the engine has it.
_ENTRIES: dict[str, Callable[..., object]] = {
    "candidates": exceptions.GrantCandidate,
    "credentials": exceptions.CredentialChoice,
}


def build(kind: str, message: str, details: str, attributes: str) -> exceptions.AlterSDKError:
    """The exception of a class, from JSON texts of its details and of all its attributes."""
    values: dict[str, Any] = json.loads(attributes)
    for name, make in _ENTRIES.items():
        if name in values:
            values[name] = [make(**entry) for entry in values[name]]
    values["message"] = message
    values["details"] = json.loads(details)
    exception: type[exceptions.AlterSDKError] = getattr(exceptions, kind)
    return restore(exception, message, values)
