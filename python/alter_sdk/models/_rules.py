"""Rules of the models' fields that pydantic has no word for. What each field needs is declared in alter_core::model."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import AfterValidator, BeforeValidator

from alter_sdk import _engine

if TYPE_CHECKING:
    from collections.abc import Callable


def _or(otherwise: Callable[[], object], fits: Callable[[object], bool]) -> BeforeValidator:
    """A value that does not fit is as if it were missing."""
    return BeforeValidator(lambda value: value if fits(value) else otherwise())  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]


def _null() -> None:
    return


text_or_null = _or(_null, lambda value: isinstance(value, str))
filled_or_null = _or(_null, lambda value: isinstance(value, str) and value != "")
map_or_null = _or(_null, lambda value: isinstance(value, dict))
map_or_empty = _or(dict, lambda value: isinstance(value, dict))
list_or_null = _or(_null, lambda value: isinstance(value, list))
whole_or_zero = _or(int, lambda value: type(value) is int)
flag_or_false = _or(bool, lambda value: isinstance(value, bool))
origin_or_null = _or(_null, lambda value: isinstance(value, str) and _engine.is_bare_https_origin(value))


def one_of_or_null(*values: str) -> BeforeValidator:
    """Only these texts, else null."""
    return _or(_null, lambda value: isinstance(value, str) and value in values)


def _texts(value: object) -> list[str]:
    entries = cast("list[object]", value) if isinstance(value, list) else []
    return [entry for entry in entries if isinstance(entry, str)]


texts_or_empty = BeforeValidator(_texts)


def _blank_to_null(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


blank_to_null = BeforeValidator(_blank_to_null)


def _base64_text(value: str) -> str:
    if not _engine.is_base64(value):
        raise ValueError("must be base64 with its padding and without line breaks")
    return value


base64_text = AfterValidator(_base64_text)


def _iso_text(value: str | None) -> str | None:
    if value is not None and not _engine.is_iso8601(value):
        raise ValueError("must be an ISO 8601 time, for example 2026-01-02T03:04:05Z")
    return value


iso_text = AfterValidator(_iso_text)
