"""What the tests about agents, keys and approvals share: the vault's answers, and one call on a fresh client."""

from __future__ import annotations

import asyncio
from typing import Any

from alter_sdk import Agent, App
from scripted import AGENT_ID, AGENT_KEY, APP_KEY, Scripted, Seen

KEY_ID = "33333333-3333-4333-8333-333333333333"
APPROVAL_ID = "44444444-4444-4444-8444-444444444444"
NOW = "2026-01-02T03:04:05Z"

# Looked for wherever a new key must not be.
NEW_KEY = "alter_ak_canary_5c1e"

AGENT: dict[str, Any] = {
    "id": AGENT_ID,
    "name": "email-assistant",
    "type": "agent",
    "status": "active",
    "scopes": {"google": ["gmail.readonly"]},
    "version": 7,
    "created_at": NOW,
}
CREATED = {**AGENT, "api_key": NEW_KEY, "key_id": KEY_ID}
AGENT_KEY_INFO: dict[str, Any] = {"key_id": KEY_ID, "key_prefix": "alter_ak_x", "name": "bot-1", "created_at": NOW}
API_KEY: dict[str, Any] = {
    "id": KEY_ID,
    "name": "k",
    "key_prefix": "alter_dk_x",
    "key_type": "dk",
    "scopes": ["tokens:retrieve"],
    "scope_version": 1,
    "created_at": NOW,
}
MINTED = {**API_KEY, "api_key": NEW_KEY}
RESULT = {"status_code": 200, "headers": {"content-type": "application/json"}, "body_b64": "eyJpZCI6IDd9"}
GATE = {"approval_id": APPROVAL_ID, "expires_at": NOW, "expires_in": 60, "approval_url": "https://vault.example/a"}
PENDING = {**GATE, "approval_group_id": APPROVAL_ID, "status": "pending", "gates": [GATE]}


def status(word: str, **more: Any) -> dict[str, Any]:
    """The vault's answer to the question what became of a call."""
    gate = {"approval_id": APPROVAL_ID, "status": "pending", "expires_at": NOW}
    shared = {"approval_id": APPROVAL_ID, "approval_group_id": APPROVAL_ID, "expires_at": NOW, "has_result": False}
    return {**shared, "status": word, "gates": [gate], **more}


def managed(call: str, *arguments: Any, agent: bool = False, **named: Any) -> Any:
    """The result of one call of a fresh client; `call` is its name with dots."""

    async def main() -> Any:
        async with Agent(AGENT_KEY) if agent else App(APP_KEY) as client:
            method: Any = client
            for part in call.split("."):
                method = getattr(method, part)
            return await method(*arguments, **named)

    return asyncio.run(main())


def only(server: Scripted, at: str = "/sdk/") -> Seen:
    """The one request that arrived."""
    (seen,) = server.requests(at)
    return seen
