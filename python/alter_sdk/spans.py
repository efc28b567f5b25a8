"""`spans`: a program's own steps, told to the vault."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from alter_sdk._namespace import Namespace
from alter_sdk.models import EmitSpansResult, UserSpan

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MAX_SPANS_PER_BATCH", "EmitSpansResult", "SpansNamespace", "UserSpan"]

MAX_SPANS_PER_BATCH = 50
"""Most spans of one `emit`."""


class SpansNamespace(Namespace):
    """Steps of a program that stand beside the vault's own records. They are labels and no evidence."""

    __slots__ = ()

    async def emit(self, spans: Sequence[UserSpan]) -> EmitSpansResult:
        """Tells the vault steps of this program.

            await agent.spans.emit([UserSpan(trace_id="run-7", name="plan", start_time=datetime.now(timezone.utc))])

        Args:
            spans: 1 to 50 steps.

        Returns:
            How many of them are new: each is stored once.

        Raises:
            AlterValueError: There are none or too many, or one is malformed; nothing was sent.
            BackendError: The vault refused, or its answer cannot be trusted.
        """
        return cast("EmitSpansResult", await self._operate("spans.emit", {"spans": spans}))
