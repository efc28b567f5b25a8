"""What the tests about people and grants share: the vault's answers, and one call on a fresh client."""

from __future__ import annotations

import asyncio
from typing import Any

from alter_sdk import App
from scripted import APP_KEY, GRANT, Scripted

SESSION_TOKEN = "session-canary-5d0c"
USER_TOKEN = "jwt-canary-81be"
SECRET_ID = "66666666-6666-4666-8666-666666666666"
SOON = "2026-01-02T03:04:05Z"

OAUTH = {
    "grant_kind": "oauth",
    "grant_id": GRANT,
    "provider_id": "google",
    "scopes": ["calendar.read"],
    "account_identifier": "ada@example.com",
    "account_display_name": "Ada",
    "status": "active",
    "scope_mismatch": True,
    "expires_at": None,
    "created_at": SOON,
    "last_used_at": None,
    "principal_type": "user",
}
MANAGED = {
    "grant_kind": "managed_secret",
    "grant_id": "44444444-4444-4444-8444-444444444444",
    "managed_secret_id": SECRET_ID,
    "managed_secret_slug": "loyalty-api",
    "managed_secret_name": "Loyalty API",
    "status": "active",
    "created_at": SOON,
    "principal_type": "system",
}
SESSION = {
    "session_token": SESSION_TOKEN,
    "connect_url": f"https://vault.example/connect#{SESSION_TOKEN}",
    "expires_in": 600,
    "expires_at": SOON,
}
CONNECTED = {
    "status": "completed",
    "grants": [
        {
            "grant_id": GRANT,
            "provider_id": "google",
            "account_identifier": "ada@example.com",
            "scopes": ["calendar.read"],
            "grant_policy": {"expires_at": SOON},
        }
    ],
}
SIGN_IN = {"session_token": SESSION_TOKEN, "auth_url": f"https://id.example/#{SESSION_TOKEN}"}
SIGN_IN |= {"expires_in": 600, "expires_at": SOON}
REVOKED = {"success": True, "message": "done", "grant_id": GRANT, "revoked_at": SOON}

LIST = "/sdk/grants/list"
CONNECT = "/sdk/oauth/connect/session"
POLL = "/sdk/oauth/connect/session/poll"
MANAGED_CONNECT = "/sdk/managed-secrets/connect/session"


def page(*grants: dict[str, Any]) -> dict[str, Any]:
    """An answer of the list endpoint."""
    return {"grants": list(grants), "total": len(grants), "limit": 100, "offset": 0, "has_more": False}


def ask(method: str, *positional: Any, client: Any = None, **arguments: Any) -> Any:
    """What a method of a fresh client gives."""

    async def main() -> Any:
        async with client or App(APP_KEY) as opened:
            return await getattr(opened, method)(*positional, **arguments)

    return asyncio.run(main())


def sent(server: Scripted, at: str) -> Any:
    """The body of the one request to a path."""
    (seen,) = (seen for seen in server.requests(at) if seen.target == at)
    return seen.json()
