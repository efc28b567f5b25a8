"""Acceptance rows of the seed documents: how clients are made."""

from __future__ import annotations

import inspect
import logging
import uuid
from typing import Any

import pytest

from alter_sdk import (
    Agent,
    AlterSDKError,
    AlterVault,
    App,
    CallerType,
    TimeoutError,
    is_valid_key,
)
from matrix import call, run, token_request
from scripted import AGENT_ID, AGENT_KEY, APP_KEY, GRANT, Scripted

LEGACY_KEY = "alter_key_" + "A" * 40

# What an application may do and an agent may not.
ONLY_APP = (
    "agents",
    "revoke_grant",
    "create_managed_secret_grant",
    "authenticate",
    "verify_user_token",
    "get_agent",
)


def headers(server: Scripted) -> dict[str, str]:
    (seen,) = server.requests("/sdk/token")
    return {name.lower(): value for name, value in seen.headers}


@pytest.mark.parametrize("made", [lambda: App(APP_KEY), lambda: App(api_key=APP_KEY)], ids=["position", "keyword"])
def test_m012_the_key_is_given_by_position_or_keyword(made: Any, server: Scripted) -> None:
    call(server, client=made())
    assert headers(server)["x-api-key"] == APP_KEY


@pytest.mark.parametrize("kind", [App, Agent, AlterVault])
def test_m012_the_key_is_required(kind: Any) -> None:
    with pytest.raises(TypeError, match="api_key"):
        kind()


def test_m013_the_timeout_is_30_seconds_unless_told_otherwise() -> None:
    for kind in (App, Agent, AlterVault):
        assert inspect.signature(kind).parameters["timeout"].default == 30.0


def test_m013_the_timeout_is_in_seconds(server: Scripted) -> None:
    server.answer("/p/", {}, hold=True)
    with pytest.raises(TimeoutError):
        call(server, client=App(APP_KEY, timeout=0.05))


@pytest.mark.parametrize("caller", ["invoice-bot", AGENT_ID])
def test_m014_the_caller_is_any_text_or_the_id_of_an_agent(caller: str, server: Scripted) -> None:
    call(server, client=App(APP_KEY, caller=caller))
    assert headers(server)["x-alter-caller"] == caller


CALLER_TYPES = [
    (App, {}, "service"),
    (App, {"caller_type": CallerType.AGENT}, "agent"),
    (App, {"caller_type": "agent"}, "agent"),
    (AlterVault, {}, "agent"),
    (AlterVault, {"caller_type": "service"}, "service"),
]


@pytest.mark.parametrize(("kind", "options", "sent"), CALLER_TYPES, ids=str)
def test_m015_the_default_of_caller_type_depends_on_the_class(
    kind: Any, options: dict[str, Any], sent: str, server: Scripted
) -> None:
    call(server, client=kind(APP_KEY, caller="me", **options))
    assert headers(server)["x-alter-caller-type"] == sent


async def later() -> str:
    return "jwt-of-the-user"


@pytest.mark.parametrize("getter", [lambda: "jwt-of-the-user", later], ids=["function", "coroutine"])
def test_m016_the_getter_gives_the_users_jwt(getter: Any, server: Scripted) -> None:
    call(server, client=App(APP_KEY, user_token_getter=getter), provider="google")
    assert token_request(server)["user_token"] == "jwt-of-the-user"


@pytest.mark.parametrize("kind", [App, AlterVault])
def test_m017_m025_async_with_opens_and_closes(kind: Any, server: Scripted) -> None:
    async def main() -> None:
        async with kind(APP_KEY) as client:
            assert isinstance(client, kind)
            await client.request("GET", f"{server.url}/p/x", grant_id=GRANT)
        with pytest.raises(AlterSDKError, match="closed"):
            await client.request("GET", f"{server.url}/p/x", grant_id=GRANT)

    run(main())
    assert len(server.requests("/p/")) == 1


def test_m018_an_agent_takes_what_an_app_takes_but_the_caller_type(server: Scripted) -> None:
    options = {"timeout": 5.0, "caller": "me", "user_token_getter": later, "logger": logging.getLogger("mine")}
    call(server, client=Agent(AGENT_KEY, **options))  # type: ignore[arg-type]
    assert headers(server)["x-alter-caller-type"] == "agent"
    with pytest.raises(TypeError, match="caller_type"):
        Agent(AGENT_KEY, caller_type="agent")  # type: ignore[call-arg]


def check_key(server: Scripted, kind: Any, key: str) -> None:
    assert is_valid_key(key)
    call(server, client=kind(key))
    assert headers(server)["x-api-key"] == key


@pytest.mark.parametrize("key", [APP_KEY, LEGACY_KEY])
def test_m019_an_app_takes_keys_of_both_forms(key: str, server: Scripted) -> None:
    check_key(server, App, key)


@pytest.mark.parametrize("key", [AGENT_KEY, LEGACY_KEY])
def test_m020_an_agent_takes_keys_of_both_forms(key: str, server: Scripted) -> None:
    check_key(server, Agent, key)


@pytest.mark.parametrize("key", [APP_KEY, AGENT_KEY, LEGACY_KEY])
def test_m021_alter_vault_takes_keys_of_any_type(key: str, server: Scripted) -> None:
    check_key(server, AlterVault, key)


@pytest.mark.parametrize("prefix", ["alter_key_app_", "alter_key_agent_"])
def test_m019_m020_a_printed_prefix_counts_among_the_40_characters(prefix: str) -> None:
    enough = 40 - len(prefix) + len("alter_key_")
    assert is_valid_key(prefix + "B" * enough)
    assert not is_valid_key(prefix + "B" * (enough - 1))


@pytest.mark.parametrize("agent_id", [AGENT_ID, uuid.UUID(AGENT_ID)], ids=["text", "UUID"])
def test_m022_an_app_makes_an_agent_of_its_own_key(agent_id: Any, server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY) as app, app.get_agent(agent_id) as agent:
            assert isinstance(agent, Agent)
            # The vault says nothing of a delegation here; that warning has a test of its own.
            with pytest.warns(UserWarning, match="delegated"):
                await agent.request("GET", f"{server.url}/p/x", grant_id=GRANT)

    run(main())
    assert (headers(server)["x-api-key"], headers(server)["x-alter-caller"]) == (APP_KEY, AGENT_ID)


def test_m023_an_agent_has_a_subset_of_what_an_app_has() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    # Handing on what was delegated to it, asking who it is, and its traces are an agent's own.
    assert public(Agent) - {"delegate", "me", "trace"} < public(App)
    assert public(Agent).isdisjoint(ONLY_APP)


@pytest.mark.usefixtures("server")
def test_m024_alter_vault_takes_every_option_of_app() -> None:
    assert list(inspect.signature(AlterVault).parameters) == list(inspect.signature(App).parameters)
    vault = AlterVault(api_key=APP_KEY, caller="email-assistant-v2", user_token_getter=lambda: "jwt")
    run(vault.close())


def test_m027_m028_clients_of_one_key_differ_by_their_callers(server: Scripted) -> None:
    async def main() -> None:
        for caller in ("email-assistant-v2", "calendar-agent-v1"):
            async with AlterVault(APP_KEY, caller=caller) as vault:
                await vault.request("GET", f"{server.url}/p/x", grant_id=GRANT)

    run(main())
    seen = [(s.header("x-api-key"), s.header("x-alter-caller")) for s in server.requests("/sdk/token")]
    assert seen == [(APP_KEY, "email-assistant-v2"), (APP_KEY, "calendar-agent-v1")]


@pytest.mark.parametrize("kind", [App, AlterVault])
def test_m029_m031_neither_caller_nor_getter_is_needed(kind: Any, server: Scripted) -> None:
    assert call(server, client=kind(APP_KEY)).status_code == 200
    assert "x-alter-caller" not in headers(server)
    assert "user_token" not in token_request(server)


# The key of the page is no key, and one character off is a typing error that the check digits find.
@pytest.mark.parametrize("key", ["", "alter_key_...", APP_KEY[:-1] + "x", "sk-1234"])
@pytest.mark.parametrize("kind", [App, Agent, AlterVault])
def test_m032_an_invalid_key_is_refused_with_the_base_class(kind: Any, key: str, server: Scripted) -> None:
    with pytest.raises(AlterSDKError) as caught:
        kind(key)
    assert type(caught.value) is AlterSDKError
    assert server.requests() == []
