"""Every acceptance row in scope has a test named after it, or stands here with the reason why not yet."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent

IN_SCOPE = frozenset(f"m{n:03}" for n in range(1, 242))

TYPESCRIPT = "a row of the TypeScript package: tests/node"
BY_WALLET = "shown by the vault's pages, which have tests of their own"
BY_VAULT = "a rule of the vault: crates/alter-server/tests"
BY_DOCS = "advice to programs: docs/python.md"
BY_HELPERS = "comes with the helpers for FastMCP and LangChain"

LATER = {
    "m007": TYPESCRIPT,
    "m008": "the extras mcp, langchain and fastapi come with their helpers; aws is there",
    "m009": TYPESCRIPT,
    "m026": TYPESCRIPT,
    "m051": BY_WALLET,
    "m062": TYPESCRIPT,
    "m063": TYPESCRIPT,
    "m064": TYPESCRIPT,
    "m065": TYPESCRIPT,
    "m073": BY_VAULT,
    "m094": TYPESCRIPT,
    "m121": BY_DOCS,
    "m124": BY_DOCS,
    "m125": BY_DOCS,
    "m126": BY_DOCS,
    "m127": BY_VAULT,
    "m137": BY_VAULT,
    "m138": BY_VAULT,
    "m139": BY_VAULT,
    "m140": BY_VAULT,
    "m145": TYPESCRIPT,
    "m150": BY_DOCS,
    "m152": BY_WALLET,
    "m153": BY_WALLET,
    "m154": BY_WALLET,
    "m155": BY_WALLET,
    "m156": BY_WALLET,
    "m163": "the extra fastapi comes with its helper",
    "m166": TYPESCRIPT,
    "m170": BY_VAULT,
    "m183": BY_HELPERS,
    "m184": BY_HELPERS,
    "m186": BY_HELPERS,
    "m207": TYPESCRIPT,
    "m230": TYPESCRIPT,
}

_TEST = re.compile(r"^def test_((?:m\d{3}_)+)", re.MULTILINE)


def named(source: str) -> set[str]:
    """The rows in the names of a file's tests."""
    return {row for names in _TEST.findall(source) for row in names.strip("_").split("_")}


def test_every_row_in_scope_is_tested_or_comes_later() -> None:
    tested = set().union(*(named(path.read_text(encoding="utf-8")) for path in HERE.glob("test_matrix_*.py")))
    assert IN_SCOPE - tested - set(LATER) == set()
    assert tested & set(LATER) == set()
    assert set(LATER) <= IN_SCOPE
    assert tested <= IN_SCOPE
