"""Acceptance rows of the seed documents: grants, and who may see and end them."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import alter_sdk
from alter_sdk import (
    Agent,
    AgentPrincipal,
    AlterValueError,
    App,
    GroupPrincipal,
    ManagedSecretGrantItem,
    OAuthGrantItem,
    SystemPrincipal,
    UnifiedGrantListResult,
    UserPrincipal,
)
from alter_sdk.exceptions import GrantNotFoundError, ReAuthRequiredError
from people import LIST, MANAGED, OAUTH, REVOKED, SECRET_ID, SOON, USER_TOKEN, ask, page, sent
from scripted import AGENT_ID, AGENT_KEY, APP_KEY, GRANT, Scripted


@pytest.fixture(autouse=True)
def _grants(server: Scripted) -> None:
    server.answer(LIST, page(OAUTH, MANAGED))


def test_m098_list_grants_takes_filters_and_a_page(server: Scripted) -> None:
    ask("list_grants", provider_id="google", status="active", account="a", label="l", end_user_token="j", offset=5)
    filters = {"provider_id": "google", "status": "active", "account": "a", "label": "l", "user_token": "j"}
    assert sent(server, LIST) == {"limit": 100, "offset": 5, **filters}


def test_m099_the_result_is_iterated_by_its_grants() -> None:
    result = ask("list_grants")
    assert isinstance(result, UnifiedGrantListResult)
    assert alter_sdk.GrantListResult is UnifiedGrantListResult
    assert [grant.grant_id for grant in result.grants] == [OAUTH["grant_id"], MANAGED["grant_id"]]


def test_m100_a_page_tells_whether_there_is_more(server: Scripted) -> None:
    server.answer(LIST, {**page(OAUTH), "total": 3, "limit": 1, "has_more": True})
    result = ask("list_grants", limit=1)
    assert (result.total, result.limit, result.offset, result.has_more) == (3, 1, 0, True)


def test_m101_items_are_told_apart_by_their_kind() -> None:
    first, second = ask("list_grants").grants
    assert (type(first), first.grant_kind) == (OAuthGrantItem, "oauth")
    assert (type(second), second.grant_kind) == (ManagedSecretGrantItem, "managed_secret")


@pytest.mark.parametrize("make", [lambda: App(APP_KEY), lambda: Agent(AGENT_KEY)], ids=["App", "Agent"])
def test_m102_both_clients_give_both_kinds_and_can_ask_for_one(make: Any, server: Scripted) -> None:
    assert {grant.grant_kind for grant in ask("list_grants", client=make()).grants} == {"oauth", "managed_secret"}
    server.reset()
    server.answer(LIST, page(OAUTH))
    ask("list_grants", client=make(), grant_kind="oauth")
    assert sent(server, LIST)["grant_kind"] == "oauth"
    with pytest.raises(AlterValueError, match="grant_kind"):
        ask("list_grants", client=make(), grant_kind="both")


def test_m103_m104_one_loop_prints_grants_of_every_kind() -> None:
    shown = [(g.provider_id, g.account_display_name, g.account_identifier, g.scopes) for g in ask("list_grants").grants]
    assert shown == [("google", "Ada", "ada@example.com", ["calendar.read"]), ("loyalty-api", None, None, [])]


def test_m105_m106_with_no_filter_and_with_two(server: Scripted) -> None:
    ask("list_grants")
    assert sent(server, LIST) == {"limit": 100, "offset": 0}
    server.reset()
    server.answer(LIST, page(OAUTH))
    ask("list_grants", provider_id="google", limit=50)
    assert sent(server, LIST) == {"limit": 50, "offset": 0, "provider_id": "google"}


def test_m107_m108_m109_m110_what_a_grant_tells() -> None:
    grant = ask("list_grants").grants[0]
    fields = ["grant_id", "provider_id", "scopes", "account_identifier", "account_display_name", "status"]
    fields += ["scope_mismatch", "expires_at", "created_at", "last_used_at"]
    assert [getattr(grant, name) for name in fields] == [OAUTH[name] for name in fields]
    assert not hasattr(grant, "id")
    assert grant.scope_mismatch is True
    bare = {name: value for name, value in OAUTH.items() if name not in ("account_identifier", "last_used_at")}
    assert OAuthGrantItem(**bare).account_identifier is None
    assert {"GrantInfo", "OAuthGrantItem"} <= set(alter_sdk.__all__)


def test_m111_m112_revoke_grant_takes_an_id_and_a_reason(server: Scripted) -> None:
    path = f"/sdk/oauth/grants/{GRANT}/revoke"
    server.answer(path, REVOKED)
    done = ask("revoke_grant", GRANT.upper(), reason="left the company")
    assert (done.success, done.grant_id) == (True, GRANT)
    assert sent(server, path) == {"reason": "left the company"}
    assert not hasattr(Agent, "revoke_grant")
    assert hasattr(alter_sdk.AlterVault, "revoke_grant")


@pytest.mark.parametrize(
    "principal",
    [
        UserPrincipal(user_token=USER_TOKEN, label="l"),
        GroupPrincipal(external_group_id="g", idp_id="i", label="l"),
        SystemPrincipal(),
        AgentPrincipal(label="l"),
        {"type": "system", "label": "nightly"},
    ],
    ids=["user", "group", "system", "agent", "map"],
)
def test_m113_m114_a_stored_secret_is_granted_to_a_principal(principal: Any, server: Scripted) -> None:
    path = f"/sdk/managed-secrets/{SECRET_ID}/grants"
    server.answer(path, {"grant_id": GRANT, "principal_type": "system", "label": None, "created_at": SOON})
    made = ask("create_managed_secret_grant", SECRET_ID, principal=principal, grant_policy={"max_ttl_seconds": 60.0})
    assert made.grant_id == GRANT
    body = sent(server, path)
    assert body["principal"] == (principal if isinstance(principal, dict) else principal.model_dump())
    assert body["grant_policy"] == {"max_ttl_seconds": 60}


@pytest.mark.parametrize(
    "principal", [{"label": "l"}, {"type": "robot"}, {"type": "user", "label": "l"}, "system", None]
)
def test_m114_anything_else_is_refused(principal: Any, server: Scripted) -> None:
    with pytest.raises(AlterValueError, match="principal"):
        ask("create_managed_secret_grant", SECRET_ID, principal=principal)
    assert server.requests() == []


def test_m115_m116_m117_a_delegation_is_ended_by_either_side(server: Scripted) -> None:
    server.answer("/sdk/grants/", status=204)
    ask("revoke_delegation", GRANT, AGENT_ID)
    ask("revoke_delegation", GRANT, client=Agent(AGENT_KEY))
    paths = [(seen.method, seen.target) for seen in server.requests("/sdk/grants/")]
    start = f"/sdk/grants/{GRANT}/delegations"
    assert paths == [("DELETE", f"{start}/{AGENT_ID}"), ("DELETE", f"{start}/me")]
    with pytest.raises(AlterValueError, match="agent_id"):
        ask("revoke_delegation", GRANT, None)
    assert list(inspect.signature(Agent.revoke_delegation).parameters) == ["self", "grant_id"]


@pytest.mark.parametrize("awaited", [False, True], ids=["function", "coroutine function"])
def test_m118_a_getter_narrows_the_list_to_the_caller(awaited: bool, server: Scripted) -> None:
    async def later() -> str:
        return "the-jwt"

    getter: Any = later if awaited else (lambda: "the-jwt")
    ask("list_grants", client=App(APP_KEY, user_token_getter=getter))
    assert sent(server, LIST)["user_token"] == "the-jwt"


def test_m119_somebody_elses_grant_is_not_found(server: Scripted) -> None:
    path = f"/sdk/oauth/grants/{GRANT}/revoke"
    server.answer(path, {"error": "grant_not_found"}, status=404)
    with pytest.raises(GrantNotFoundError):
        ask("revoke_grant", GRANT, client=App(APP_KEY, user_token_getter=lambda: "the-jwt"))
    assert sent(server, path) == {"user_token": "the-jwt"}


def test_m120_a_request_by_grant_carries_the_callers_token(server: Scripted) -> None:
    client = App(APP_KEY, user_token_getter=lambda: "the-jwt")
    ask("request", "GET", f"{server.url}/p/x", grant_id=GRANT, client=client)
    assert sent(server, "/sdk/token")["user_token"] == "the-jwt"


def test_m122_a_grant_id_is_a_uuid(server: Scripted) -> None:
    with pytest.raises(AlterValueError, match="UUID"):
        ask("revoke_grant", "grant-7")
    assert server.requests() == []


def test_m123_an_id_from_a_listing_works_in_a_request(server: Scripted) -> None:
    grant = ask("list_grants").grants[1]
    ask("request", "GET", f"{server.url}/p/x", grant_id=grant.grant_id)
    assert sent(server, "/sdk/token")["grant_id"] == grant.grant_id


def test_m128_the_errors_are_the_same_for_both_kinds(server: Scripted) -> None:
    server.answer(LIST, {"error": "jwt_validation_error"}, status=401)
    with pytest.raises(ReAuthRequiredError):
        ask("list_grants", end_user_token="expired")


def test_m129_an_internal_api_by_a_secrets_grant(server: Scripted) -> None:
    arguments = {"query_params": {"user_id": "alice"}, "reason": "Show the points"}
    ask("request", "GET", f"{server.url}/p/points", grant_id=MANAGED["grant_id"], **arguments)
    (seen,) = server.requests("/p/")
    assert seen.target == "/p/points?user_id=alice"
    assert sent(server, "/sdk/token")["reason"] == "Show the points"
