"""Rules for `with_constraints` about what a call does and to what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, TypedDict, cast

from alter_sdk import _engine
from alter_sdk.models.rules import RequestRule

if TYPE_CHECKING:
    from collections.abc import Sequence

ContentMatchFamily = Literal["send", "read", "write", "delete", "admin", "payment"]
"""What an operation does."""

ContentMatchEffect = Literal["deny", "redact", "step_up"]
"""What a rule does to a call that it is about."""

ContentParamOp = Literal["equals", "any_in", "not_subset_of", "gt", "gte", "lt", "lte", "outside_windows"]
"""How a condition compares."""

__all__ = [
    "ContentMatchEffect",
    "ContentMatchFamily",
    "ContentParamCondition",
    "ContentParamOp",
    "RequestRule",
    "TimeWindow",
    "TimeWindows",
    "content_match_rule",
]


class TimeWindow(TypedDict):
    """Some hours of some days. An end before the start is on the next day."""

    days: list[str]
    """`mon` to `sun`."""
    start: str
    """`HH:MM`."""
    end: str
    """`HH:MM`, or `24:00`."""


class TimeWindows(TypedDict):
    """Hours of the week in a time zone."""

    windows: list[TimeWindow]
    timezone: str
    """A name of the IANA database, for example `Europe/Berlin`."""


class ContentParamCondition(TypedDict):
    """A condition on one parameter of an operation."""

    name: str
    op: ContentParamOp
    value: str | float | list[str] | TimeWindows


def content_match_rule(
    *,
    operations: Sequence[str] | None = None,
    families: Sequence[ContentMatchFamily] | None = None,
    params: Sequence[ContentParamCondition] | None = None,
    effect: ContentMatchEffect = "deny",
    redact_fields: Sequence[str] | None = None,
    max_session_age_seconds: int | None = None,
) -> RequestRule:
    """A rule about operations, or families of them, whose parameters meet all conditions. It only ever narrows.

        narrow = app.with_constraints(rule=content_match_rule(families=["delete", "payment"]))

    Args:
        operations: Ids of operations.
        families: What operations do. At least one operation or family, and 100 together at most.
        params: At most 20 conditions, all of which must hold.
        effect: `deny` refuses the call; `redact` removes `redact_fields` from its body; `step_up` asks for a sign-in
            that is fresh enough.
        redact_fields: 1 to 50 names of fields; with `redact` only.
        max_session_age_seconds: 1 to 86400; with `step_up` only.

    Raises:
        AlterValueError: An argument was refused.
    """
    arguments = {
        "operations": operations, "families": families, "params": params, "effect": effect,
        "redact_fields": redact_fields, "max_session_age_seconds": max_session_age_seconds,
    }  # fmt: skip
    return cast("RequestRule", json.loads(_engine.local_call("content_match_rule", arguments)))
