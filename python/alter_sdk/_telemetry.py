"""The trace that a call belongs to, if the program uses OpenTelemetry."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_LARGEST_TRACE_ID = (1 << 128) - 1
_LARGEST_SPAN_ID = (1 << 64) - 1
_LARGEST_FLAGS = 0xFF


@lru_cache(maxsize=1)
def current_span() -> Callable[[], Any] | None:
    """OpenTelemetry's function for the current span. Looked for once: a failing import is slow."""
    try:
        from opentelemetry import trace  # pyright: ignore
    except Exception:
        return None
    return trace.get_current_span  # pyright: ignore


def traceparent() -> str | None:
    """The W3C trace context of the current span, or `None`. A tracer that misbehaves breaks no call."""
    span = current_span()
    if span is None:
        return None
    try:
        context = span().get_span_context()
        trace_id, span_id, flags = context.trace_id, context.span_id, context.trace_flags
    except Exception:
        return None
    if not (_is_id(trace_id, _LARGEST_TRACE_ID) and _is_id(span_id, _LARGEST_SPAN_ID)):
        return None
    plain = isinstance(flags, int) and not isinstance(flags, bool) and 0 <= flags <= _LARGEST_FLAGS
    return f"00-{trace_id:032x}-{span_id:016x}-{int(flags) if plain else 0:02x}"


def _is_id(value: object, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= largest
