"""Acceptance rows of the seed documents: the arguments of `request()`, and what it gives back."""

from __future__ import annotations

import asyncio
import inspect
import json
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from alter_sdk import Agent, AlterSDKError, AlterValueError, App, HttpMethod, RetryInfo
from alter_sdk.exceptions import BackendError
from matrix import call, provider_request, refused, reports, token_request
from scripted import AGENT_KEY, APP_KEY, GRANT, SECRET, TOKEN, Scripted

CREDENTIAL = f"Bearer {SECRET}"


def test_m033_request_is_async() -> None:
    assert inspect.iscoroutinefunction(App.request)
    assert list(inspect.signature(App.request).parameters)[:3] == ["self", "method", "url"]


@pytest.mark.parametrize("method", [HttpMethod.PATCH, "PATCH", "patch"], ids=["member", "upper", "lower"])
def test_m034_the_method_is_a_member_or_text(method: Any, server: Scripted) -> None:
    call(server, method)
    assert provider_request(server).method == "PATCH"


def test_m035_the_url_is_the_providers_own(server: Scripted) -> None:
    call(server, path="/p/a/b?c=1")
    assert provider_request(server).target == "/p/a/b?c=1"
    assert token_request(server)["request"]["url"].startswith(f"{server.url}/p/a/b")


@pytest.mark.parametrize("grant_id", [GRANT, uuid.UUID(GRANT)], ids=["text", "UUID"])
def test_m036_grant_id_names_the_grant(grant_id: Any, server: Scripted) -> None:
    call(server, grant_id=grant_id)
    assert token_request(server)["grant_id"] == GRANT


def test_m037_grant_id_and_provider_exclude_each_other(server: Scripted) -> None:
    error = refused(server, AlterSDKError, grant_id=GRANT, provider="google")
    assert "grant_id" in error.message
    assert "provider" in error.message


def test_m038_provider_is_resolved_from_the_users_jwt(server: Scripted) -> None:
    call(server, provider="google", client=App(APP_KEY, user_token_getter=lambda: "the-jwt"))
    body = token_request(server)
    assert (body["provider_id"], body["user_token"], body.get("grant_id")) == ("google", "the-jwt", None)


def test_m038_an_agents_key_needs_no_jwt_and_a_slug_is_a_provider(server: Scripted) -> None:
    call(server, provider="loyalty-api", client=Agent(AGENT_KEY))
    assert token_request(server)["provider_id"] == "loyalty-api"


def test_m039_an_app_key_without_a_jwt_gets_a_typed_error(server: Scripted) -> None:
    server.answer("/sdk/token", {"error": "user_token_required", "message": "who is it?"}, status=400)
    with pytest.raises(BackendError) as caught:
        call(server, provider="google")
    assert caught.value.details["error"] == "user_token_required"
    assert server.requests("/p/") == []


def test_m040_account_picks_among_a_users_accounts(server: Scripted) -> None:
    call(server, provider="google", account="ada@example.com", user_token="jwt")
    assert token_request(server)["account"] == "ada@example.com"


def test_m040_account_means_nothing_beside_a_grant(server: Scripted) -> None:
    call(server, grant_id=GRANT, account="ada@example.com")
    assert "account" not in token_request(server)


def test_m041_json_is_sent_as_json(server: Scripted) -> None:
    call(server, "POST", json={"model": "gpt-4", "n": [1, None, True]})
    seen = provider_request(server)
    assert seen.json() == {"model": "gpt-4", "n": [1, None, True]}
    assert seen.header("content-type") == "application/json"


@pytest.mark.parametrize("body", [b"\xc3\xa9", "é"], ids=["bytes", "str"])
def test_m042_a_raw_body_is_bytes_or_utf_8(body: Any, server: Scripted) -> None:
    call(server, "POST", body=body)
    assert provider_request(server).body == b"\xc3\xa9"


def test_m043_a_dict_as_body_is_a_form(server: Scripted) -> None:
    call(server, "POST", body={"amount": "2000", "currency": "usd", "note": "a b&c"})
    seen = provider_request(server)
    assert parse_qs(seen.body.decode()) == {"amount": ["2000"], "currency": ["usd"], "note": ["a b&c"]}
    assert seen.header("content-type") == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("name", ["extra_headers", "headers"])
def test_m044_m045_both_names_add_headers(name: str, server: Scripted) -> None:
    call(server, **{name: {"X-Trace": "7"}})
    assert provider_request(server).header("x-trace") == "7"


def test_m044_m045_both_names_at_once_are_refused(server: Scripted) -> None:
    message = refused(server, AlterValueError, headers={"X-A": "1"}, extra_headers={"X-B": "1"}).message
    assert "extra_headers" in message


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_m046_the_credential_overwrites_the_callers_header_with_a_warning(
    name: str, server: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    call(server, headers={name: "mine-instead", "X-Other": "1"})
    seen = provider_request(server)
    assert [value for key, value in seen.headers if key.lower() == "authorization"] == [CREDENTIAL]
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert name in warning.getMessage()
    assert "mine-instead" not in caplog.text
    assert SECRET not in caplog.text


def test_m046_without_such_a_header_nothing_warns(server: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    call(server, headers={"X-Other": "1"})
    assert provider_request(server).header("authorization") == CREDENTIAL
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


def test_m047_query_parameters_may_be_numbers_booleans_and_lists(server: Scripted) -> None:
    call(server, query_params={"q": "a b", "limit": 5, "ratio": 0.5, "all": True, "tag": ["x", "y"]})
    query = parse_qs(urlsplit(provider_request(server).target).query)
    assert query == {"q": ["a b"], "limit": ["5"], "ratio": ["0.5"], "all": ["true"], "tag": ["x", "y"]}


def test_m048_path_parameters_are_filled_in_and_encoded(server: Scripted) -> None:
    call(server, path="/p/{owner}/{file}", path_params={"owner": "ada", "file": "a/b ?.txt"})
    assert provider_request(server).target == "/p/ada/a%2Fb%20%3F.txt"


@pytest.mark.parametrize(
    ("path", "arguments", "named"),
    [
        ("/p/{id}", {}, "id"),
        ("/p/{id}", {"path_params": {"other": "1"}}, "id"),
        ("/p/\u0000", {}, "url"),
    ],
    ids=["none given", "another given", "control character"],
)
def test_m049_a_missing_path_parameter_or_a_bad_url_is_an_input_error(
    path: str, arguments: dict[str, Any], named: str, server: Scripted
) -> None:
    assert named in refused(server, AlterValueError, path=path, **arguments).message.lower()


def test_m050_the_reason_goes_to_the_audit(server: Scripted) -> None:
    call(server, reason="Fetching calendar events for weekly digest")
    assert token_request(server)["reason"] == "Fetching calendar events for weekly digest"
    assert [report["reason"] for report in reports(server)] == ["Fetching calendar events for weekly digest"]


def test_m052_the_context_goes_to_the_vault_and_its_audit(server: Scripted) -> None:
    call(server, context={"tool": "summarize"})
    (seen,) = server.requests("/sdk/token")
    assert json.loads(seen.header("x-alter-context") or "") == {"tool": "summarize"}
    assert [report["context"] for report in reports(server)] == [{"tool": "summarize"}]


def test_m053_a_calls_own_jwt_wins_over_the_getter_for_that_call(server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY, user_token_getter=lambda: "of the getter") as app:
            for token in ("of the call", None):
                await app.request("GET", f"{server.url}/p/x", grant_id=GRANT, user_token=token)

    asyncio.run(main())
    tokens = [seen.json()["user_token"] for seen in server.requests("/sdk/token")]
    assert tokens == ["of the call", "of the getter"]


def test_m054_the_answer_is_a_real_httpx_response(server: Scripted) -> None:
    server.answer("/p/", {"id": 7}, status=201, headers={"X-Request-Id": "r-1"})
    response = call(server)
    assert isinstance(response, httpx.Response)
    assert (response.status_code, response.json(), response.headers["x-request-id"]) == (201, {"id": 7}, "r-1")


RETRIES = {"attempt": 1, "error": "timed out", "error_type": "timeout", "delay_s": 0.5}
RETRY = {"total_attempts": 2, "successful_attempt": 2, "errors": [RETRIES]}


def test_m055_the_response_has_retry_info(server: Scripted) -> None:
    assert call(server).retry_info is None
    server.answer("/sdk/token", {**TOKEN, "retry_info": RETRY})
    info = call(server).retry_info
    assert isinstance(info, RetryInfo)
    assert (info.total_attempts, info.errors[0].error_type, info.errors[0].delay_s) == (2, "timeout", 0.5)


@pytest.mark.parametrize(("kind", "key"), [(App, APP_KEY), (Agent, AGENT_KEY)])
def test_m056_the_client_has_the_last_retry_info(kind: Any, key: str, server: Scripted) -> None:
    server.answer("/sdk/token", {**TOKEN, "retry_info": RETRY})
    client = kind(key)
    assert client.last_retry_info is None
    response = call(server, client=client)
    assert client.last_retry_info == response.retry_info == RetryInfo.model_validate(RETRY)


def test_m066_the_application_never_sees_the_credential(server: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    app = App(APP_KEY)
    response = call(server, "POST", client=app, json={"a": 1}, headers={"X-Mine": "1"})
    assert provider_request(server).header("authorization") == CREDENTIAL
    looked_at: list[Any] = [response, vars(response), response.request.headers.multi_items(), response.url, app]
    looked_at += [getattr(response, name) for name in dir(response) if name not in ("text", "content")]
    looked_at += [getattr(app, name) for name in dir(app)]
    assert SECRET not in "".join(map(repr, looked_at))
    assert SECRET not in caplog.text + json.dumps(reports(server))
    assert len(reports(server)) == 1


def test_m067_the_sdk_makes_the_call_itself(server: Scripted) -> None:
    call(server)
    assert [seen.target for seen in server.requests()][:2] == ["/sdk/token", "/p/x"]
    assert provider_request(server).header("x-api-key") is None


def test_m070_a_stream_of_events_is_read_line_by_line(server: Scripted) -> None:
    events = b"data: one\n\ndata: two\n\ndata: [DONE]\n\n"
    server.answer("/p/", raw=events, headers={"content-type": "text/event-stream"})

    async def main() -> list[str]:
        async with App(APP_KEY) as app:
            for _ in range(3):
                response = await app.request("POST", f"{server.url}/p/x", grant_id=GRANT, json={"stream": True})
            return [line async for line in response.aiter_lines() if line]

    assert asyncio.run(main()) == ["data: one", "data: two", "data: [DONE]"]
    # A long-lived client: its calls share one connection to each side.
    assert len(server.requests("/p/")) == 3
    assert server.connections <= 3


MORE = {"pin": "pin-canary-55"}
SIGV4 = {"secret_key": "aws-canary", "region": "eu-central-1", "service": "s3"}
KINDS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "bearer": ({}, {"authorization": CREDENTIAL}),
    "API key": ({"injection_header": "X-Key", "injection_format": "{token}"}, {"x-key": SECRET}),
    "basic": ({"injection_format": "Basic {token}"}, {"authorization": f"Basic {SECRET}"}),
    "more headers": (
        {
            "additional_credentials": MORE,
            "additional_injections": [
                {"target": "header", "key": "X-Pin", "value_source": "additional_credentials.pin"}
            ],
        },
        {"authorization": CREDENTIAL, "x-pin": "pin-canary-55"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_m071_the_kind_of_credential_decides_the_headers(kind: str, server: Scripted) -> None:
    answer, wanted = KINDS[kind]
    server.answer("/sdk/token", {**TOKEN, **answer})
    call(server)
    seen = provider_request(server)
    assert {name: seen.header(name) for name in wanted} == wanted


def test_m071_a_credential_may_be_a_query_parameter(server: Scripted) -> None:
    injection = {"target": "query_param", "key": "key", "value_source": "additional_credentials.pin"}
    server.answer("/sdk/token", {**TOKEN, "additional_credentials": MORE, "additional_injections": [injection]})
    response = call(server, query_params={"q": "1"})
    assert provider_request(server).target == "/p/x?q=1&key=pin-canary-55"
    assert "canary" not in str(response.url)


def test_m071_an_aws_credential_signs(server: Scripted) -> None:
    server.answer("/sdk/token", {**TOKEN, "injection_format": "AWS4-HMAC-SHA256", "additional_credentials": SIGV4})
    call(server)
    signature = provider_request(server).header("authorization") or ""
    assert signature.startswith(f"AWS4-HMAC-SHA256 Credential={SECRET}/")
    assert "/eu-central-1/s3/aws4_request" in signature
