"""What the tests share: one scripted server for the whole run, fresh for each test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripted import Scripted

VECTORS = Path(__file__).resolve().parent.parent / "vectors"


def vectors(name: str) -> Any:
    """A file of recorded behaviour that every language's tests read."""
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def _server() -> Scripted:
    return Scripted()


@pytest.fixture
def server(_server: Scripted, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    _server.reset()
    monkeypatch.setenv("ALTER_BASE_URL", _server.url)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield _server
    _server.release()
