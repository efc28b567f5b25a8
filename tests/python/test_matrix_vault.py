"""Acceptance rows of the seed documents: what the vault itself does, on a real `alter serve`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alter_sdk import AlterVault
from alter_sdk.exceptions import InsufficientScopeError
from matrix import run
from scripted import Scripted

ALTER = Path(__file__).resolve().parents[2] / "target/debug/alter"
WAIT = 60


class Vault:
    """A vault on an empty folder, with an application, its key, and a grant for the scripted provider."""

    def __init__(self, folder: Path, provider: Scripted) -> None:
        self._folder = folder
        self._serving = subprocess.Popen(
            [ALTER, "serve", "--json", "--data-dir", folder, "--address", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._serving.stdout is not None
        self.url = json.loads(self._serving.stdout.readline())["url"]
        self.alter("app", "create", "demo")
        self.key = self.alter("key", "create")[0]["api_key"]
        host = provider.url.partition("//")[2]
        self.alter("secret", "create", "ex", "--bearer", "--allow-host", host, "--stdin", given="example-token")
        self.grant = self.alter("grant", "create", "--secret", "ex")[0]["grant_id"]

    def alter(self, *arguments: str, given: str = "") -> list[dict[str, Any]]:
        """What a command prints, one object a line."""
        done = subprocess.run(
            [ALTER, "--json", "--no-input", "--data-dir", self._folder, *arguments],
            input=given,
            env={**os.environ, "ALTER_BASE_URL": self.url},
            capture_output=True,
            text=True,
            timeout=WAIT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def releases(self) -> list[dict[str, Any]]:
        """The audit rows of credentials released, oldest first."""
        return [row for row in self.alter("audit", "tail") if row["action"] == "token.retrieve"]

    def stop(self) -> None:
        self._serving.terminate()
        self._serving.communicate(timeout=WAIT)


@pytest.fixture
def vault(server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    assert ALTER.is_file(), "the vault is not built: cargo build -p alter-cli"
    vault = Vault(tmp_path / "vault", server)
    monkeypatch.setenv("ALTER_BASE_URL", vault.url)
    yield vault
    vault.stop()


def use(vault: Vault, server: Scripted, *, key: str | None = None, caller: str = "mailer", **arguments: Any) -> Any:
    """Makes a call and returns the client that made it."""
    client = AlterVault(key or vault.key, caller=caller)

    async def main() -> None:
        async with client:
            await client.request("GET", f"{server.url}/p/x", grant_id=vault.grant, **arguments)

    run(main())
    return client


def test_m030_m200_callers_reasons_and_contexts_are_kept(vault: Vault, server: Scripted) -> None:
    context = {"tool": "read_calendar", "agent": "cursor"}
    mailer = use(vault, server, reason="Weekly digest", context=context)
    again = use(vault, server)
    other = use(vault, server, caller="calendar-agent-v1")
    assert mailer.actor_id is not None
    assert mailer.actor_id == again.actor_id != other.actor_id
    rows = vault.releases()
    assert [row["actor_id"] for row in rows] == [mailer.actor_id, again.actor_id, other.actor_id]
    assert (rows[0]["reason"], rows[0]["context"]) == ("Weekly digest", context)
    assert "example-token" not in json.dumps(rows)
    assert [seen.header("authorization") for seen in server.requests("/p/")] == ["Bearer example-token"] * 3


def test_m068_retrieving_needs_its_scope(vault: Vault, server: Scripted) -> None:
    key = vault.alter("key", "create", "--scope", "proxy:execute")[0]["api_key"]
    with pytest.raises(InsufficientScopeError) as caught:
        use(vault, server, key=key)
    assert caught.value.missing == ["tokens:retrieve"]
    assert server.requests("/p/") == []
    (row,) = vault.releases()
    assert (row["outcome"], row["code"]) == ("refused", "insufficient_scope")
