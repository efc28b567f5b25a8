"""Acceptance rows of the seed documents: keys made of keys, catalogues, narrowed clients; and the spans beside them."""

from __future__ import annotations

from datetime import datetime, timezone
from uuid import UUID

import pytest

from alter_sdk import (
    AlterValueError,
    App,
    InsufficientScopeError,
    MintedKey,
    Provider,
    UserSpan,
)
from managed import API_KEY, KEY_ID, MINTED, NEW_KEY, managed, only
from matrix import run
from scripted import APP_KEY, Scripted

CATALOGUE = {
    "providers": {
        "google": {
            "id": "google", "name": "google", "display_name": "Google", "supports_refresh": True, "supports_pkce": True,
            "available_scopes": {"a": {"description": "d", "required": False, "is_default": True, "requires": []}},
            "default_scopes": ["a"], "required_scopes": ["openid"], "status": "active",
        }
    }
}  # fmt: skip
SPEC = {
    "provider_kind": "oauth", "provider_id": "github", "version": 3, "provenance": "vendor", "content_hash": "h",
    "operation_count": 2, "fetched_at": "2026-01-02T03:04:05Z", "changed_at": "2026-01-02T03:04:05Z",
}  # fmt: skip


@pytest.mark.parametrize("agent", [False, True], ids=["app", "agent"])
def test_m187_m188_a_key_is_derived(agent: bool, server: Scripted) -> None:
    server.answer("/sdk/keys/derive", MINTED, status=201)
    key = managed(
        "keys.derive", agent=agent, scopes=["tokens:retrieve"], expires_in=900, cidr_allowlist=["10.0.0.0/8"],
        rate_limit_rpm=30,
    )  # fmt: skip
    assert isinstance(key, MintedKey)
    assert (key.api_key, key.status) == (NEW_KEY, "active")
    assert only(server).json() == {
        "scopes": ["tokens:retrieve"], "expires_in": 900, "cidr_allowlist": ["10.0.0.0/8"], "rate_limit_rpm": 30,
    }  # fmt: skip
    assert NEW_KEY not in repr(key) + str(key)


def test_m188_a_key_that_may_not_derive(server: Scripted) -> None:
    server.answer("/sdk/keys/derive", {"error": "insufficient_scope", "missing": ["keys:derive"]}, status=403)
    with pytest.raises(InsufficientScopeError) as caught:
        managed("keys.derive", scopes=["a"], expires_in=1)
    assert caught.value.missing == ["keys:derive"]
    with pytest.raises(AlterValueError, match="scopes"):
        managed("keys.derive", scopes=["keys:derive"], expires_in=1)


def test_m189_a_key_is_replaced(server: Scripted) -> None:
    server.answer("/sdk/keys/", MINTED)
    managed("keys.rotate", UUID(KEY_ID))
    managed("keys.rotate", key_id=KEY_ID, overlap_days=0)
    first, second = server.requests("/sdk/keys/")
    assert (first.target, first.json()) == (f"/sdk/keys/{KEY_ID}/rotate", {"overlap_days": 7})
    assert second.json() == {"overlap_days": 0}


def test_m190_a_key_is_ended(server: Scripted) -> None:
    server.answer("/sdk/keys/", {**API_KEY, "revoked_at": API_KEY["created_at"]})
    assert managed("keys.revoke", KEY_ID).status == "revoked"
    managed("keys.revoke", key_id=KEY_ID, force=True)
    assert [seen.target for seen in server.requests("/sdk/")] == [
        f"/sdk/keys/{KEY_ID}",
        f"/sdk/keys/{KEY_ID}?force=true",
    ]


@pytest.mark.parametrize("name", ["get_catalog", "list"])
def test_m191_the_scopes_that_there_are(name: str, server: Scripted) -> None:
    resources = {"tokens": {"verbs": ["retrieve"]}}
    server.answer("/sdk/scopes", {"scope_version": 2, "resources": resources, "action_verbs": ["retrieve"]})
    catalog = managed(f"scopes.{name}")
    assert (catalog.resources["tokens"].verbs, catalog.deprecated) == (["retrieve"], [])


def test_m192_m193_a_narrowed_client_says_so_on_every_call(server: Scripted) -> None:
    server.answer("/sdk/scopes", {"scope_version": 2, "resources": {}, "action_verbs": []})

    async def main() -> None:
        async with App(APP_KEY) as app:
            narrowed = app.with_constraints(scopes=["providers:read", "tokens:retrieve"])
            await narrowed.scopes.list()
            await app.scopes.list()

    run(main())
    narrowed, plain = server.requests("/sdk/scopes")
    assert narrowed.header("x-alter-scope-constraints") == "providers:read,tokens:retrieve"
    assert plain.header("x-alter-scope-constraints") is None


def test_m192_the_catalogue_of_providers_is_kept(server: Scripted) -> None:
    server.answer("/sdk/oauth/provider-catalog", CATALOGUE)

    async def main() -> None:
        async with App(APP_KEY) as app:
            catalogue = await app.oauth_providers.list()
            assert catalogue.get_default_scopes(Provider.GOOGLE) == ("a",)
            assert catalogue.get_required_scopes("google") == ("openid",)
            assert catalogue.get_default_scopes("unknown") == ()
            again = await app.oauth_providers.list()
            assert again == catalogue
            assert again is not catalogue
            await app.oauth_providers.list(force_refresh=True)

    run(main())
    assert len(server.requests("/sdk/oauth/provider-catalog")) == 2


def test_m192_the_operations_of_a_provider(server: Scripted) -> None:
    operation = {"operation_id": "repos/get", "method": "GET", "path_template": "/repos/{o}/{r}"}
    page = {"items": [operation], "total": 1, "limit": 100, "offset": 0, "has_more": False, "spec": SPEC}
    server.answer("/sdk/provider-specs/oauth/github/operations", page)
    server.answer("/sdk/provider-specs/oauth/github/operation?", {**operation, "params_schema": [{}], "spec": SPEC})
    server.answer("/sdk/provider-specs?kind=oauth", {"items": [SPEC], "total": 1})
    (spec,) = managed("provider_specs.list", "oauth")
    assert spec.operation_count == 2
    assert managed("provider_specs.list_operations", "oauth", "github", search="repos").items[0].method == "GET"
    assert managed("provider_specs.get_operation", "oauth", "github", "repos/get").params_schema == [{}]
    assert server.requests("/sdk/")[-1].target.endswith("?operation_id=repos%2Fget")


def test_m192_spans_are_labels_of_the_programs_own(server: Scripted) -> None:
    server.answer("/sdk/spans", {"accepted": 1})
    start = datetime(2026, 1, 2, 3, 4, 5, 450000, tzinfo=timezone.utc)
    span = UserSpan(trace_id="run-7", name="plan", start_time=start, attributes={"step": "1"})
    assert managed("spans.emit", [span], agent=True).accepted == 1
    assert only(server).json() == {
        "spans": [
            {
                "trace_id": "run-7", "name": "plan", "start_time": "2026-01-02T03:04:05.450000Z",
                "attributes": {"step": "1"},
            }
        ]
    }  # fmt: skip
    span.name = ""
    with pytest.raises(AlterValueError, match="name"):
        managed("spans.emit", [span])
