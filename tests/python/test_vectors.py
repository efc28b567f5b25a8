"""The recorded behaviour that all languages share, through the Python package."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import alter_sdk
from alter_sdk import Agent, AlterSDKError, App, exceptions, is_valid_key
from conftest import vectors
from scripted import AGENT_KEY, APP_KEY, GRANT, Scripted

# What is refused on purpose where the public package sends it: dot segments in a path value, user info in the URL.
REFUSED_URLS = {"dot dot", "dot", "userinfo"}

# Token answers that the public package lets through until something else fails; ours refuses the answer.
REFUSED_EARLIER = {"token spaces", "fmt AWS secret only, no region"}


def identify(case: dict[str, Any]) -> str:
    return str(case.get("name") or case.get("note") or case.get("value"))[:60]


def request(client: App | Agent, *args: Any, **kwargs: Any) -> Any:
    async def main() -> Any:
        async with client:
            return await client.request(*args, **kwargs)

    return asyncio.run(main())


def outcome_of(client: App | Agent, *args: Any, **kwargs: Any) -> AlterSDKError:
    with pytest.raises(AlterSDKError) as caught:
        request(client, *args, **kwargs)
    return caught.value


@pytest.mark.parametrize("case", vectors("api_keys")["cases"], ids=identify)
def test_api_keys(case: dict[str, Any]) -> None:
    assert is_valid_key(case["key"]) is case["valid"]


@pytest.mark.parametrize("case", vectors("api_keys")["non_string_cases"], ids=identify)
def test_values_that_are_no_text_are_no_keys(case: dict[str, Any]) -> None:
    assert is_valid_key(case["value"]) is False


@pytest.mark.parametrize("case", vectors("base_url")["cases"], ids=identify)
def test_base_urls(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    if case["value"] is None:
        monkeypatch.delenv("ALTER_BASE_URL", raising=False)
    else:
        monkeypatch.setenv("ALTER_BASE_URL", case["value"])
    # A host with a space in it can never be reached: the public package finds out at the first call, ours at once.
    if "error" in case or case["value"] == "https://h /x":
        with pytest.raises(AlterSDKError):
            App(APP_KEY)
        return
    app = App(APP_KEY)
    assert app.base_url == case["base_url"]
    asyncio.run(app.close())


@pytest.mark.parametrize("case", vectors("request_url")["cases"], ids=identify)
def test_urls(case: dict[str, Any], server: Scripted) -> None:
    def fill_in(template: str) -> str:
        return template.replace("{base}", server.url).replace("{port}", str(server.port))

    if "url_built" in case:
        prefix = fill_in(case["url_built"]["prefix"])
        url = prefix + case["url_built"]["fill"] * (case["url_built"]["total_length"] - len(prefix))
    else:
        url = fill_in(case["url"])
    server.answer("/", {})
    server.answer("/sdk/token", {"access_token": "t", "grant_id": GRANT})
    arguments = {name: case[name] for name in ("path_params", "query_params") if name in case}
    if "error_class" in case or case["name"] in REFUSED_URLS:
        error = outcome_of(App(APP_KEY), "GET", url, grant_id=GRANT, **arguments)
        assert type(error) is alter_sdk.AlterValueError
        assert server.requests() == []
        return
    request(App(APP_KEY), "GET", url, grant_id=GRANT, **arguments)
    token, provider = (seen for seen in server.requests() if not seen.target.startswith("/sdk/oauth"))
    assert provider.target == case["target"]
    assert token.json()["request"]["url"] == fill_in(case["token_request_url"])


@pytest.mark.parametrize("case", vectors("token_response")["cases"], ids=identify)
def test_token_answers(case: dict[str, Any], server: Scripted) -> None:
    raw = case["body_text"] if "body_text" in case else json.dumps(case["body"])
    server.answer("/sdk/token", raw=raw.encode())
    server.answer("/x", {})
    grant_id = vectors("token_response")["request"]["grant_id"]
    if not case["accepted"]:
        error = outcome_of(App(APP_KEY), "GET", f"{server.url}/x", grant_id=grant_id)
        assert type(error).__name__ == ("BackendError" if case["name"] in REFUSED_EARLIER else case["error_class"])
        assert [seen.target for seen in server.requests()] == ["/sdk/token"]
        return
    response = request(App(APP_KEY), "GET", f"{server.url}/x", grant_id=grant_id)
    retry_info = response.retry_info
    assert (None if retry_info is None else retry_info.model_dump(mode="json")) == case["retry_info"]
    (provider,) = server.requests("/x")
    assert provider.target == case["provider_target"]
    # The public package sends two lines for one name in two spellings; ours sends the last value once.
    wanted = {name.lower(): value for name, value in case["provider_headers"].items()}
    assert {name: provider.header(name) for name in wanted} == wanted


def rate_limit_of(server: Scripted, headers: dict[str, str]) -> Any:
    server.answer("/sdk/token", {"access_token": "t", "grant_id": GRANT}, headers=headers)
    app = App(APP_KEY)
    request(app, "GET", f"{server.url}/p/x", grant_id=GRANT)
    return app.last_rate_limit


@pytest.mark.parametrize("case", vectors("headers")["rate_limit"], ids=lambda case: json.dumps(case["headers"])[:60])
def test_rate_limits(case: dict[str, Any], server: Scripted) -> None:
    got = rate_limit_of(server, case["headers"])
    want = case["snapshot"]
    if want is None:
        assert got is None
        return
    assert (got.limit, got.remaining) == (want["limit"], want["remaining"])
    if "X-RateLimit-Reset" in case["headers"] and want["reset_at_epoch"] == int(case["headers"]["X-RateLimit-Reset"]):
        assert got.reset_at.timestamp() == want["reset_at_epoch"]


@pytest.mark.parametrize(
    "case", vectors("headers")["retry_after"], ids=lambda case: f"{case['header']}-{case['body']}"[:40]
)
@pytest.mark.parametrize(("code", "ceiling"), [("rate_limit_exceeded", "rate_limit"), ("quota_exceeded", "quota")])
def test_retry_after(code: str, ceiling: str, case: dict[str, Any], server: Scripted) -> None:
    seconds = float("nan") if case["body_is_nan"] else case["body"]
    # Header values travel as bytes; one of them is a digit of another script.
    headers = {} if case["header"] is None else {"Retry-After": case["header"].encode().decode("latin-1")}
    server.answer("/sdk/token", {"error": code, "retry_after": seconds}, status=429, headers=headers)
    error: Any = outcome_of(App(APP_KEY), "GET", f"{server.url}/p/x", grant_id=GRANT)
    if case["body_is_nan"]:
        # A body with NaN in it is no JSON, so it says nothing at all.
        assert type(error) is exceptions.RateLimitError
    assert error.retry_after == case[ceiling]


@pytest.mark.parametrize("case", vectors("headers")["bearer_challenge"], ids=lambda case: case["header"][:40])
def test_bearer_challenges(case: dict[str, Any], server: Scripted) -> None:
    server.answer("/p/", status=403, headers={"WWW-Authenticate": case["header"]})
    error: Any = outcome_of(App(APP_KEY), "GET", f"{server.url}/p/x", grant_id=GRANT)
    if case["params"].get("error") != "insufficient_scope":
        assert type(error) is exceptions.ProviderAPIError
        return
    assert type(error) is exceptions.ScopeReauthRequiredError
    assert error.missing_scopes == (case["params"].get("scope", "").split() or None)


CONSTRAINED = [v for v in vectors("hmac")["vectors"] if v["input"]["scopes"] or v["input"]["rule"]]


@pytest.mark.parametrize("case", CONSTRAINED, ids=identify)
def test_constraints(case: dict[str, Any], server: Scripted) -> None:
    scopes, rule = case["input"]["scopes"], case["input"]["rule"]

    async def main() -> None:
        async with App(APP_KEY) as app:
            narrowed = app.with_constraints(scopes=scopes, rule=rule)
            await narrowed.request("GET", f"{server.url}/p/x", grant_id=GRANT)

    asyncio.run(main())
    (token,) = server.requests("/sdk/token")
    for name in ("X-Alter-Scope-Constraints", "X-Alter-Request-Rule"):
        assert token.header(name) == case["headers"].get(name)


ERRORS = [case for case in vectors("errors") if case["call"] in ("token", "agent.token", "provider")]


@pytest.mark.parametrize("case", ERRORS, ids=lambda c: f"{c['call']}-{c['status']}-{c['expect']['class']}")
def test_errors(case: dict[str, Any], server: Scripted) -> None:
    text = isinstance(case["body"], str)
    raw = case["body"].encode() if text else json.dumps(case["body"]).encode()
    grant_id = "7a1e6f0e-2222-4333-8444-555566667777"
    if case["call"] == "provider":
        healthy = {"access_token": "t", "grant_id": grant_id, "provider_id": "google"}
        server.answer("/sdk/token", {**healthy, **case.get("token_body", {})})
        server.answer("/prov", raw=raw, status=case["status"], headers=case["headers"])
    else:
        server.answer("/sdk/token", raw=raw, status=case["status"], headers=case["headers"])
    client = Agent(AGENT_KEY) if case["call"].startswith("agent.") else App(APP_KEY)
    expect = case["expect"]
    if expect["class"] is None:
        request(client, "GET", f"{server.url}/prov", grant_id=grant_id)
        return
    error = outcome_of(client, "GET", f"{server.url}/prov", grant_id=grant_id)
    assert [c.__name__ for c in type(error).__mro__ if c.__module__ == "alter_sdk.exceptions"] == expect["mro"]
    for name, want in expect["attributes"].items():
        assert matches(plain(getattr(error, name)), want, server.url), (name, getattr(error, name), want)


def plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, (exceptions.GrantCandidate, exceptions.CredentialChoice)):
        return {name: getattr(value, name) for name in type(value).__dataclass_fields__}
    return value


def matches(got: Any, want: Any, base_url: str) -> bool:
    """Whether a value is what was recorded. `{sdk_text}` is wording, which is everybody's own."""
    if want == "{sdk_text}":
        return isinstance(got, str) and got != ""
    if isinstance(want, str):
        return got == want.replace("{base_url}", base_url)
    if isinstance(want, dict):
        return (
            isinstance(got, dict)
            and set(got) == set(want)
            and all(matches(got[k], v, base_url) for k, v in want.items())
        )
    return got == want
