"""Acceptance rows of the seed documents: managed agents and their keys."""

from __future__ import annotations

from typing import Any

import pytest

import alter_sdk
from alter_sdk import (
    Agent,
    AgentConcurrentUpdateError,
    AgentCreateResult,
    AgentInfo,
    AgentKeyMintResult,
    AgentNameExistsError,
    AgentNotFoundError,
    AlterSDKError,
    AlterValueError,
    App,
    KeyNotFoundError,
    LastActiveKeyError,
)
from managed import AGENT, AGENT_KEY_INFO, CREATED, KEY_ID, NEW_KEY, managed, only
from matrix import run
from scripted import AGENT_ID, AGENT_KEY, APP_KEY, Scripted
from test_canary import texts_within

PATH = f"/sdk/agents/{AGENT_ID}"


def test_m172_an_agent_is_made_and_its_key_shown_once(server: Scripted) -> None:
    server.answer("/sdk/agents", CREATED, status=201)
    created = managed("agents.create", name="email-assistant", display_name="E-mail", idempotency_key="deploy-7")
    assert isinstance(created, AgentCreateResult)
    assert isinstance(created, AgentInfo)
    assert created.api_key == NEW_KEY
    seen = only(server)
    assert seen.json() == {
        "name": "email-assistant", "type": "agent", "scopes": {}, "metadata": {}, "display_name": "E-mail",
    }  # fmt: skip
    assert seen.header("idempotency-key") == "deploy-7"
    assert NEW_KEY not in repr(created) + str(created)


def test_m172_a_refused_answer_shows_no_key(server: Scripted) -> None:
    server.answer("/sdk/agents", {**CREATED, "version": "seven"}, status=201)
    with pytest.raises(AlterSDKError) as caught:
        managed("agents.create", name="bot")
    assert not any(NEW_KEY in text for text in texts_within(caught.value))


def test_m173_a_page_of_agents(server: Scripted) -> None:
    page = {"items": [AGENT], "total": 9, "limit": 2, "offset": 4, "has_more": True}
    server.answer("/sdk/agents", page)
    listed = managed("agents.list", limit=2, offset=4, include_revoked=True)
    assert (listed.agents[0].name, listed.total, listed.has_more) == ("email-assistant", 9, True)
    assert only(server).target == "/sdk/agents?include_revoked=true&limit=2&offset=4"


def test_m174_m175_an_agent_by_id_and_by_name(server: Scripted) -> None:
    server.answer(PATH, AGENT)
    server.answer("/sdk/agents?name=nobody", {"items": []})
    server.answer("/sdk/agents?name=email", {"items": [AGENT]})
    assert str(managed("agents.get", AGENT_ID).id) == AGENT_ID
    assert managed("agents.get_by_name", "email-assistant").version == 7
    assert managed("agents.get_by_name", "nobody") is None


def test_m174_an_unknown_agent_has_an_error_of_its_own(server: Scripted) -> None:
    server.answer("/sdk/agents", {"error": "agent_not_found", "hint": "list them"}, status=404)
    with pytest.raises(AgentNotFoundError) as caught:
        managed("agents.get", AGENT_ID)
    assert (caught.value.hint, caught.value.status_code) == ("list them", 404)


def test_m176_scopes_are_changed_at_the_version_that_was_read(server: Scripted) -> None:
    server.answer(PATH, AGENT)
    managed("agents.update", AGENT_ID, scopes={"google": ["calendar"]}, grace_seconds=60)
    read, changed = server.requests("/sdk/")
    assert (read.method, changed.method) == ("GET", "PATCH")
    assert changed.target == f"{PATH}?grace_seconds=60&expected_version=7"
    assert changed.json() == {"scopes": {"google": ["calendar"]}}


def test_m176_a_stale_version_is_refused(server: Scripted) -> None:
    server.answer(PATH, {"error": "agent_concurrent_update"}, status=409)
    with pytest.raises(AgentConcurrentUpdateError):
        managed("agents.update", AGENT_ID, display_name="B", expected_version=3)
    assert only(server).target == f"{PATH}?expected_version=3"


@pytest.mark.parametrize(("verb", "method", "body"), [
    ("suspend", "PATCH", b'{"status":"inactive"}'),
    ("resume", "PATCH", b'{"status":"active"}'),
    ("delete", "DELETE", b""),
])  # fmt: skip
def test_m176_an_agent_is_suspended_resumed_and_deleted(verb: str, method: str, body: bytes, server: Scripted) -> None:
    server.answer(PATH, AGENT)
    managed(f"agents.{verb}", AGENT_ID)
    seen = only(server)
    assert (seen.method, seen.target, seen.body) == (method, PATH, body)


def test_m177_m178_keys_are_minted_and_listed(server: Scripted) -> None:
    server.answer(f"{PATH}/keys", {**AGENT_KEY_INFO, "api_key": NEW_KEY}, status=201)
    minted = managed("agents.mint_key", AGENT_ID)
    assert isinstance(minted, AgentKeyMintResult)
    assert (minted.api_key, minted.status) == (NEW_KEY, "active")
    server.answer(f"{PATH}/keys", {"items": [AGENT_KEY_INFO]})
    assert managed("agents.list_keys", AGENT_ID).items[0].key_prefix == "alter_ak_x"


@pytest.mark.parametrize("verb", ["deprecate", "undeprecate"])
def test_m179_a_key_is_deprecated_and_the_warning_taken_back(verb: str, server: Scripted) -> None:
    server.answer(PATH, {**AGENT_KEY_INFO, "deprecated_at": None if verb == "undeprecate" else AGENT["created_at"]})
    key = managed(f"agents.{verb}_key", AGENT_ID, KEY_ID)
    assert key.status == ("active" if verb == "undeprecate" else "deprecated")
    assert only(server).target == f"{PATH}/keys/{KEY_ID}/{verb}"


def test_m180_the_last_key_needs_force_by_position_or_name(server: Scripted) -> None:
    server.answer(PATH, {"error": "last_active_key"}, status=409)
    with pytest.raises(LastActiveKeyError):
        managed("agents.revoke_key", AGENT_ID, KEY_ID)
    server.answer(f"{PATH}/keys/{KEY_ID}?force=true", {**AGENT_KEY_INFO, "revoked_at": AGENT["created_at"]})
    assert managed("agents.revoke_key", AGENT_ID, KEY_ID, True).status == "revoked"
    assert managed("agents.revoke_key", AGENT_ID, KEY_ID, force=True).status == "revoked"
    server.answer(PATH, {"error": "key_not_found"}, status=404)
    with pytest.raises(KeyNotFoundError):
        managed("agents.revoke_key", AGENT_ID, KEY_ID)


def test_m181_an_agent_asks_who_it_is(server: Scripted) -> None:
    server.answer("/sdk/agents/me", {**AGENT, "status": "inactive"})
    assert managed("me", agent=True).status == "inactive"
    assert only(server).header("x-api-key") == AGENT_KEY


@pytest.mark.parametrize(("call", "arguments", "field"), [
    ("agents.create", {"name": ""}, "name"),
    ("agents.create", {"name": "a", "scopes": {"google": "gmail"}}, "scopes"),
    ("agents.list", {"limit": 0}, "limit"),
    ("agents.get", {"agent_id": ".."}, "agent_id"),
    ("agents.update", {"agent_id": AGENT_ID, "grace_seconds": 1}, "grace_seconds"),
    ("agents.revoke_key", {"agent_id": AGENT_ID, "key_id": ""}, "key_id"),
])  # fmt: skip
def test_m172_what_is_refused_names_its_field(
    call: str, arguments: dict[str, Any], field: str, server: Scripted
) -> None:
    with pytest.raises(AlterValueError, match=field):
        managed(call, **arguments)
    assert server.requests() == []


def test_m240_the_models_are_exported() -> None:
    for name in ("AgentInfo", "AgentCreateResult", "AgentListResult", "AgentKey", "AgentKeyMintResult", "AgentKeyList"):
        assert getattr(alter_sdk, name).__name__ == name


def test_m172_a_name_that_is_taken(server: Scripted) -> None:
    server.answer("/sdk/agents", {"error": "agent_name_exists"}, status=409)
    with pytest.raises(AgentNameExistsError):
        managed("agents.create", name="bot")


def test_m172_a_part_of_a_closed_client(server: Scripted) -> None:
    """An application's part can still be looked at and an agent's cannot; neither sends anything."""

    async def main() -> None:
        app, agent = App(APP_KEY), Agent(AGENT_KEY)
        agents = app.agents
        await app.close()
        await agent.close()
        with pytest.raises(AlterSDKError, match="closed"):
            await agents.get(AGENT_ID)
        assert app.keys is not None
        with pytest.raises(AlterSDKError, match="closed"):
            assert agent.keys

    run(main())
    assert server.requests() == []
