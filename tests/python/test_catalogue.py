"""The vault's provider catalogue has the shape of its schema, and the schema says no where it should."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

CATALOGUE = Path(__file__).resolve().parents[2] / "crates/alter-server/catalogue"
FILES = sorted((CATALOGUE / "providers").glob("*.json"))


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    definition = read(CATALOGUE / "provider.schema.json")
    Draft202012Validator.check_schema(definition)
    return Draft202012Validator(definition, format_checker=FormatChecker())


def test_there_is_a_file_for_every_provider_of_the_enum() -> None:
    from alter_sdk.providers import Provider

    assert [path.stem for path in FILES] == sorted(Provider)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_has_the_shape_of_the_schema(path: Path, schema: Draft202012Validator) -> None:
    entry = read(path)
    errors = [f"{error.json_path}: {error.message}" for error in schema.iter_errors(entry)]
    assert errors == []
    assert entry["id"] == path.stem


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("surprise", "x"),
        ("id", "Git Hub"),
        ("confidence", "certain"),
        ("checked", "21 November"),
        ("token.url", "http://github.com/token"),
        ("token.url", "https://github.com/token?x=1"),
        ("token.client_authentication", "basic"),
        ("authorization.pkce", "plain"),
        ("sources", []),
        ("revocation.call.surprise", True),
        ("revocation.call.method", "PUT"),
        ("account.identifier", ["login"]),
    ],
)
def test_the_schema_refuses(path: str, value: Any, schema: Draft202012Validator) -> None:
    entry = read(CATALOGUE / "providers/github.json")
    assert schema.is_valid(entry)
    changed = copy.deepcopy(entry)
    *parents, name = path.split(".")
    part = changed
    for parent in parents:
        part = part[parent]
    part[name] = value
    assert not schema.is_valid(changed)
