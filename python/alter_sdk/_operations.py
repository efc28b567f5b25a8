"""Running the engine's operations, and making Python objects of what they give."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from alter_sdk._logging import Reporter

    EventListener = Callable[[dict[str, Any]], object]

_numbers = itertools.count(1)
_listeners: dict[int, tuple[EventListener, Reporter]] = {}


def model(name: str, fields: str) -> BaseModel:
    """The object of a public model, from the JSON text of its fields."""
    return _class(name).model_validate_json(fields)


def models(name: str, entries: str) -> list[BaseModel]:
    """A list of such objects, from the JSON text of a list."""
    kind = _class(name)
    return [kind.model_validate(fields) for fields in json.loads(entries)]


def _class(name: str) -> type[BaseModel]:
    from alter_sdk import models as package

    kind: type[BaseModel] = getattr(package, name)
    return kind


def listen(listener: EventListener, reporter: Reporter) -> int:
    """Gives a listener the number under which the engine's events reach it."""
    number = next(_numbers)
    _listeners[number] = (listener, reporter)
    return number


def forget(number: int | None) -> None:
    """Tells a listener nothing more."""
    if number is not None:
        _listeners.pop(number, None)


def tell(number: int, event: str) -> None:
    """Hands an event on. A listener that raises breaks no call."""
    found = _listeners.get(number)
    if found is None:
        return
    listener, reporter = found
    try:
        listener(json.loads(event))
    except Exception as error:
        reporter.log("warning", f"on_event raised {type(error).__name__}; the wait goes on.")


def error_facts(error: object) -> dict[str, Any]:
    """What an exception says about how to get past it."""
    facts = {name: getattr(error, name, None) for name in ("provider_id", "agent_id", "grant_id")}
    return {**facts, "classes": [kind.__name__ for kind in type(error).__mro__]}
