"""Which identities this process has from the vault, and what the engine makes of them."""

from __future__ import annotations

import json
import time
import weakref
from datetime import timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from alter_sdk import _engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alter_sdk.models import IdentityAssertion, IdentityContext, MemoryScope

_FIELDS = ("app_id", "agent_id", "app_user_id", "user_status")


class _Record(NamedTuple):
    """What is known about one identity object."""

    reference: weakref.ref[IdentityContext]
    fingerprint: tuple[object, ...]
    ends: float | None
    """In Unix seconds; `None` for one that only asking again could end."""
    made: float
    """On the monotonic clock."""


# By the object itself and not by its value: whoever builds an equal one has not asked the vault.
_records: dict[int, _Record] = {}


def _fingerprint(identity: IdentityContext) -> tuple[object, ...]:
    return tuple(getattr(identity, name) for name in _FIELDS)


def trust(identity: IdentityContext, ends: float | None = None) -> IdentityContext:
    """Notes that the vault gave this very object."""
    key = id(identity)

    def forget(reference: weakref.ref[IdentityContext]) -> None:
        record = _records.get(key)
        if record is not None and record.reference is reference:
            del _records[key]

    _records[key] = _Record(weakref.ref(identity, forget), _fingerprint(identity), ends, time.monotonic())
    return identity


def trusted_assertion(assertion: IdentityAssertion) -> IdentityAssertion:
    """Notes that the vault gave the identity of this assertion, until the assertion ends."""
    ends = assertion.expires_at
    trust(assertion.identity, int((ends if ends.tzinfo else ends.replace(tzinfo=timezone.utc)).timestamp()))
    return assertion


def _record_of(identity: IdentityContext) -> _Record | None:
    record = _records.get(id(identity))
    if record is None or record.reference() is not identity or record.fingerprint != _fingerprint(identity):
        return None
    return record


def facts(identity: object, *, asked_at: float | None = None, needs_end: bool = False) -> dict[str, Any]:
    """What this process knows about an identity, as the engine reads it."""
    from alter_sdk.models import IdentityContext

    if not isinstance(identity, IdentityContext):
        return {"verified": False}
    record = _record_of(identity)
    known = {name: getattr(identity, name) for name in _FIELDS}
    if record is None:
        return {**known, "verified": False}
    return {
        **known,
        "verified": True,
        "expired": record.ends is not None and time.time() >= record.ends,
        "endless": needs_end and record.ends is None,
        "stale": asked_at is not None and record.made < asked_at,
    }


def scope_of(identity: object, **more: Any) -> MemoryScope:
    """The scope of an identity."""
    known = {name: more.pop(name) for name in ("asked_at", "needs_end") if name in more}
    text = _engine.local_call("memory_scope", {**facts(identity, **known), **more})
    from alter_sdk.models import MemoryScope

    return MemoryScope.model_validate_json(text)


def namespace_for(namespace: Sequence[str], **arguments: Any) -> tuple[str, ...]:
    """A namespace with a path added, once all arguments of the call are judged."""
    return tuple(json.loads(_engine.local_call("memory_namespace", {"namespace": list(namespace), **arguments})))


def check_result(namespace: Sequence[str], found: object, **more: Any) -> None:
    """Refuses what a store gave of another namespace."""
    _engine.local_call("memory_result", {"namespace": list(namespace), "found": found, **more})
