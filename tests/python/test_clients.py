"""`App`, `Agent` and `AlterVault`: construction, life, properties, and the arguments of `request`."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import json
import pickle
import uuid
import warnings
from typing import Any

import pytest

from alter_sdk import Agent, AlterSDKError, AlterValueError, AlterVault, App, CallerType, HttpMethod, Provider
from alter_sdk.exceptions import AgentDelegationMissingError, GrantNotFoundError
from scripted import AGENT_ID, AGENT_KEY, APP_KEY, GRANT, TOKEN, Scripted

CLIENTS = [(App, APP_KEY, "service"), (Agent, AGENT_KEY, "agent"), (AlterVault, AGENT_KEY, "agent")]


async def get(client: App | Agent, server: Scripted, **arguments: Any) -> Any:
    return await client.request("GET", f"{server.url}/p/x", grant_id=GRANT, **arguments)


@pytest.mark.parametrize(("kind", "key", "caller_type"), CLIENTS)
def test_each_client_signs_as_what_it_is(kind: Any, key: str, caller_type: str, server: Scripted) -> None:
    async def main() -> None:
        async with kind(key, caller="email-assistant") as client:
            await get(client, server)

    asyncio.run(main())
    (token,) = server.requests("/sdk/token")
    assert token.header("x-api-key") == key
    assert token.header("x-alter-caller") == "email-assistant"
    assert token.header("x-alter-caller-type") == caller_type


def test_the_signature_covers_what_is_sent(server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY, caller="me") as app:
            await get(app, server, context={"tool": "é"})

    asyncio.run(main())
    (token,) = server.requests("/sdk/token")
    lines = [
        "POST",
        "/sdk/token",
        token.header("x-alter-timestamp"),
        token.header("x-alter-nonce"),
        hashlib.sha256(token.body).hexdigest(),
        "",
        "caller:me",
        "caller-type:service",
        'actor-context:{"tool":"\\u00e9"}',
    ]
    key = hmac.digest(APP_KEY.encode(), b"alter-signing-v1", "sha256")
    assert token.header("x-alter-signature-v2") == hmac.digest(key, "\n".join(map(str, lines)).encode(), "sha256").hex()


def test_caller_type_of_app_and_vault_can_be_chosen(server: Scripted) -> None:
    async def main() -> None:
        for kind, chosen in ((App, CallerType.AGENT), (App, "agent"), (AlterVault, "service")):
            async with kind(APP_KEY, caller="me", caller_type=chosen) as client:
                await get(client, server)

    asyncio.run(main())
    assert [seen.header("x-alter-caller-type") for seen in server.requests("/sdk/token")] == [
        "agent",
        "agent",
        "service",
    ]


class OnlyInfo:
    def info(self, *_: Any) -> None: ...


# In the order in which they are checked: each case is wrong in everything that comes later, too.
WRONG = [
    ({"api_key": "alter_rk_typo", "caller": "", "user_token_getter": 5}, AlterSDKError, "user_token_getter"),
    ({"api_key": "alter_rk_typo", "caller": "", "logger": OnlyInfo()}, AlterSDKError, "api_key"),
    ({"api_key": ""}, AlterSDKError, "api_key"),
    ({"api_key": None}, AlterSDKError, "api_key"),
    ({"api_key": 5}, AlterSDKError, "api_key"),
    ({"caller": "", "caller_type": "robot"}, AlterValueError, "caller"),
    ({"caller": "é"}, AlterValueError, "caller"),
    ({"caller": "x" * 256}, AlterValueError, "caller"),
    ({"caller": 5}, AlterValueError, "caller"),
    ({"caller_type": "robot"}, AlterValueError, "caller_type"),
    ({"caller_type": None}, AlterValueError, "caller_type"),
    ({"timeout": -1}, AlterValueError, "timeout"),
    ({"timeout": "soon"}, AlterValueError, "timeout"),
    ({"timeout": float("nan")}, AlterValueError, "timeout"),
    ({"logger": OnlyInfo()}, AlterSDKError, "logger"),
]


@pytest.mark.parametrize(("arguments", "kind", "named"), WRONG, ids=lambda value: str(value)[:50])
def test_a_wrong_option_is_named(
    arguments: dict[str, Any], kind: type[Exception], named: str, server: Scripted
) -> None:
    options = {"api_key": APP_KEY, **arguments}
    with pytest.raises(AlterSDKError) as caught:
        App(options.pop("api_key"), **options)
    assert type(caught.value) is kind
    assert named in str(caught.value)
    assert server.requests() == []


def test_http_to_a_remote_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALTER_BASE_URL", "http://vault.example.com")
    with pytest.raises(AlterSDKError, match="uses http for"):
        App(APP_KEY)


def test_closing_is_final_and_can_be_repeated(server: Scripted) -> None:
    async def main() -> None:
        app = App(APP_KEY)
        await get(app, server)
        await app.close()
        await app.close()
        with pytest.raises(AlterSDKError, match="closed"):
            await get(app, server)
        with pytest.raises(AlterSDKError, match="closed"):
            app.with_constraints(scopes=["tokens:retrieve"])
        with pytest.raises(AlterValueError, match="closed"):
            app.get_agent(AGENT_ID)
        assert (app.actor_id, app.last_retry_info, app.last_rate_limit) == (None, None, None)
        assert app.base_url == server.url

    asyncio.run(main())
    assert len(server.requests("/sdk/token")) == 1


def test_close_waits_for_the_reports(server: Scripted) -> None:
    server.answer("/sdk/oauth/audit", {}, hold=True)

    async def main() -> None:
        app = App(APP_KEY)
        await get(app, server)
        await asyncio.to_thread(server.wait_for_requests, "/sdk/oauth/audit", 1)
        closing = asyncio.create_task(app.close())
        done, _ = await asyncio.wait([closing], timeout=0.1)
        assert not done
        server.release()
        await closing

    asyncio.run(main())


def test_a_failing_body_of_async_with_still_closes(server: Scripted) -> None:
    async def main() -> None:
        app = App(APP_KEY)
        with pytest.raises(ZeroDivisionError):
            async with app as entered:
                assert entered is app
                raise ZeroDivisionError
        with pytest.raises(AlterSDKError, match="closed"):
            await get(app, server)

    asyncio.run(main())


def test_a_client_collected_unclosed_says_so(server: Scripted) -> None:
    app = App(APP_KEY)
    with pytest.warns(ResourceWarning, match="unclosed App"):
        del app
        gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_clients_show_and_give_away_nothing(server: Scripted) -> None:
    app = App(APP_KEY)
    assert APP_KEY not in repr(app)
    assert not hasattr(app, "__dict__")
    with pytest.raises(AttributeError):
        app.key = "x"  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(app)


def test_clients_can_be_subclassed(server: Scripted) -> None:
    class Mine(App):
        pass

    async def main() -> None:
        async with Mine(APP_KEY) as mine:
            assert type(mine.with_constraints(scopes=["a"])) is Mine
            assert (await get(mine, server)).status_code == 200

    asyncio.run(main())


def test_a_constrained_client_outlives_the_name_of_its_parent(server: Scripted) -> None:
    async def main() -> None:
        narrowed = App(APP_KEY).with_constraints(scopes=["tokens:retrieve"])
        gc.collect()
        assert (await get(narrowed, server)).status_code == 200
        await narrowed.close()
        with pytest.raises(AlterSDKError, match="closed"):
            await get(narrowed, server)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(main())
        gc.collect()
    assert server.requests("/sdk/token")[0].header("x-alter-scope-constraints") == "tokens:retrieve"


def test_closing_the_parent_closes_the_sibling(server: Scripted) -> None:
    async def main() -> None:
        app = App(APP_KEY)
        narrowed = app.with_constraints(scopes=["a"])
        await narrowed.close()
        assert (await get(app, server)).status_code == 200
        other = app.with_constraints(scopes=["a"])
        await app.close()
        with pytest.raises(AlterSDKError, match="closed"):
            await get(other, server)

    asyncio.run(main())


@pytest.mark.parametrize("spelling", [AGENT_ID, AGENT_ID.upper(), uuid.UUID(AGENT_ID), f"{{{AGENT_ID}}}"])
def test_get_agent_acts_with_the_apps_key(spelling: Any, server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY) as app, app.get_agent(spelling) as agent:
            assert type(agent) is Agent
            with pytest.warns(UserWarning, match="never delegated") as caught:
                await get(agent, server)
            assert caught[0].filename == __file__
            await get(agent, server)

    asyncio.run(main())
    for token in server.requests("/sdk/token"):
        assert (token.header("x-api-key"), token.header("x-alter-caller")) == (APP_KEY, AGENT_ID)


@pytest.mark.parametrize("value", ["", "x", None, 5, AGENT_ID + "0"])
def test_get_agent_wants_a_uuid(value: Any, server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY) as app:
            with pytest.raises(AlterValueError, match="UUID"):
                app.get_agent(value)

    asyncio.run(main())


def test_a_grant_that_is_not_found_is_one_not_delegated_to_an_agent(server: Scripted) -> None:
    server.answer("/sdk/token", {"error": "grant_not_found"}, status=404)

    async def main() -> None:
        for kind, key, want in ((App, APP_KEY, GrantNotFoundError), (Agent, AGENT_KEY, AgentDelegationMissingError)):
            async with kind(key) as client:
                with pytest.raises(GrantNotFoundError) as caught:
                    await get(client, server)
                assert type(caught.value) is want

    asyncio.run(main())


def sent(server: Scripted, *args: Any, **kwargs: Any) -> Any:
    """The provider's request that a call made."""

    async def main() -> None:
        async with App(APP_KEY) as app:
            await app.request(*args, **kwargs)

    asyncio.run(main())
    (seen,) = server.requests("/p/")
    return seen


def test_enums_and_uuids_are_accepted(server: Scripted) -> None:
    sent(server, HttpMethod.PATCH, f"{server.url}/p/x", grant_id=uuid.UUID(GRANT))
    assert server.requests("/sdk/token")[0].json()["grant_id"] == GRANT
    server.reset()
    sent(server, "get", f"{server.url}/p/x", provider=Provider.GOOGLE, account="me@example.com", label="work")
    body = server.requests("/sdk/token")[0].json()
    assert (body["provider_id"], body["account"], body["label"]) == ("google", "me@example.com", "work")


BODIES = [
    ({"json": {"name": "é", "n": [1, 1.0, True, None]}}, '{"name":"é","n":[1,1.0,true,null]}', "application/json"),
    ({"json": 123456789012345678901234567890}, "123456789012345678901234567890", "application/json"),
    ({"body": b"\x00raw"}, "\x00raw", None),
    ({"body": bytearray(b"raw")}, "raw", None),
    ({"body": "é"}, "é", None),
    (
        {"body": {"amount": "2000", "currency": "usd", "x": [1, True]}},
        "amount=2000&currency=usd&x=1&x=true",
        "application/x-www-form-urlencoded",
    ),
    ({"body": "{}", "headers": {"content-type": "application/vnd.api+json"}}, "{}", "application/vnd.api+json"),
]


@pytest.mark.parametrize(("arguments", "body", "content_type"), BODIES, ids=lambda value: str(value)[:40])
def test_bodies(arguments: dict[str, Any], body: str, content_type: str | None, server: Scripted) -> None:
    seen = sent(server, "POST", f"{server.url}/p/x", grant_id=GRANT, **arguments)
    assert seen.body.decode() == body
    assert seen.header("content-type") == content_type


def test_both_spellings_of_headers(server: Scripted) -> None:
    assert sent(server, "GET", f"{server.url}/p/x", grant_id=GRANT, extra_headers={"X-A": "1"}).header("x-a") == "1"
    server.reset()
    assert sent(server, "GET", f"{server.url}/p/x", grant_id=GRANT, headers={"X-A": "1"}).header("x-a") == "1"


REFUSED = [
    {"extra_headers": {"X": "1"}, "headers": {"X": "1"}},
    {"context": {"tool": 5}},
    {"context": {f"k{n}": "v" for n in range(21)}},
    {"context": {"k": "v" * 513}},
    {"json": {"a": float("nan")}},
    {"json": object()},
    {"json": "\ud800"},
    {"path_params": {"id": 5}},
    {"path_params": "x"},
    {"query_params": 5},
    {"headers": {"X": "a\r\nb"}},
    {"headers": {"X": 5}},
    {"body": 5},
    {"caller": ""},
    {"user_token": ""},
    {"label": "work"},
    {"app_user_id": "u-1"},
    {"url": "http://api.example.com/x"},
    {"url": "https://api.example.com/{id}"},
    {"url": "https://u:p@api.example.com/"},
    {"url": None},
    {"method": None},
]


@pytest.mark.parametrize("arguments", REFUSED, ids=lambda value: str(value)[:60])
def test_a_refused_argument_sends_nothing(arguments: dict[str, Any], server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY) as app:
            call = {"method": "POST", "url": f"{server.url}/p/x", "grant_id": GRANT, **arguments}
            with pytest.raises(AlterValueError) as caught:
                await app.request(call.pop("method"), call.pop("url"), **call)
            assert any(name in str(caught.value) for name in arguments)

    asyncio.run(main())
    assert server.requests() == []


@pytest.mark.parametrize(
    "arguments", [{}, {"grant_id": GRANT, "provider": "google"}, {"grant_id": GRANT, "json": 1, "body": b""}]
)
def test_contradictions_are_plain_sdk_errors(arguments: dict[str, Any], server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY) as app:
            with pytest.raises(AlterSDKError) as caught:
                await app.request("GET", f"{server.url}/p/x", **arguments)
            assert type(caught.value) is AlterSDKError

    asyncio.run(main())
    assert server.requests() == []


def test_retries_and_limits_are_told(server: Scripted) -> None:
    retry = {"total_attempts": 2, "successful_attempt": 2, "errors": []}
    headers = {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "59", "X-RateLimit-Reset": "1767225660"}
    actor = {"X-Alter-Actor-ID": AGENT_ID}
    server.answer("/sdk/token", {**TOKEN, "retry_info": retry}, headers={**headers, **actor})

    async def main() -> None:
        async with App(APP_KEY) as app:
            response = await get(app, server)
            assert response.retry_info == app.last_retry_info
            assert json.loads(response.retry_info.model_dump_json()) == retry
            assert (app.last_rate_limit.limit, app.last_rate_limit.remaining) == (60, 59)
            assert app.last_rate_limit.reset_at.isoformat() == "2026-01-01T00:01:00+00:00"
            assert app.actor_id == AGENT_ID

    asyncio.run(main())
