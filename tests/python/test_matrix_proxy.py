"""Acceptance rows of the seed documents: calls that the vault makes, and approvals."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

import alter_sdk
from alter_sdk import (
    AgentDelegationMissingError,
    AlterValueError,
    App,
    ApprovalDeniedError,
    ApprovalResult,
    ApprovalTimeoutError,
    HttpMethod,
    PendingApproval,
    PolicyViolationError,
)
from managed import APPROVAL_ID, PENDING, RESULT, managed, only, status
from matrix import run, run_example
from scripted import APP_KEY, GRANT, Scripted

URL = "https://api.example.com/x"
ASK = f"/sdk/approvals/{APPROVAL_ID}"


def proxy(server: Scripted, *, agent: bool = False, **arguments: Any) -> Any:
    """The result of one `proxy_request` that names the usual grant unless it names a provider."""
    if "provider" not in arguments:
        arguments.setdefault("grant_id", GRANT)
    return managed("proxy_request", "get", URL, agent=agent, **arguments)


def test_m072_m081_the_vault_makes_the_call(server: Scripted) -> None:
    server.answer("/sdk/proxy", RESULT)
    result = proxy(server, grant_id=UUID(GRANT))
    assert isinstance(result, ApprovalResult)
    assert result.status_code == 200
    assert only(server).json() == {"method": "GET", "url": URL, "grant_id": GRANT}


def test_m074_m075_a_grant_or_a_provider(server: Scripted) -> None:
    server.answer("/sdk/proxy", RESULT)
    proxy(server, provider="github", account="ada", user_token="jwt")
    body = only(server).json()
    assert (body["provider_id"], body["account"], body["user_token"]) == ("github", "ada", "jwt")
    for wrong in ({"grant_id": GRANT, "provider": "github"}, {"grant_id": None}):
        with pytest.raises(AlterValueError, match="grant_id or provider"):
            proxy(server, **wrong)


@pytest.mark.parametrize("name", ["json", "json_body"])
def test_m076_the_body_has_two_names(name: str, server: Scripted) -> None:
    server.answer("/sdk/proxy", RESULT)
    proxy(server, **{name: {"amount": 1.0, "big": 2**200, 7: None}})
    assert only(server).json()["body"] == {"amount": 1.0, "big": 2**200, "7": None}
    with pytest.raises(AlterValueError, match="json_body"):
        proxy(server, json=1, json_body=1)


@pytest.mark.parametrize("name", ["headers", "extra_headers"])
def test_m077_headers_have_two_names(name: str, server: Scripted) -> None:
    server.answer("/sdk/proxy", RESULT)
    proxy(server, **{name: {"X-A": "b"}})
    assert only(server).json()["headers"] == {"X-A": "b"}


def test_m078_m079_query_reason_and_context(server: Scripted) -> None:
    server.answer("/sdk/proxy", RESULT)
    proxy(server, query_params={"q": [1, True]}, reason="why", context={"tool": "t"})
    seen = only(server)
    assert (seen.json()["query_params"], seen.json()["reason"]) == ({"q": [1, True]}, "why")
    assert seen.header("x-alter-context") == '{"tool":"t"}'


@pytest.mark.parametrize("name", ["Authorization", " cookie", "X-API-Key", "x-amz-security-token"])
def test_m080_headers_that_carry_credentials_are_refused(name: str, server: Scripted) -> None:
    with pytest.raises(AlterValueError, match="headers"):
        proxy(server, headers={name: "x"})
    assert server.requests() == []


def test_m082_m083_the_answers_body_in_every_form(server: Scripted) -> None:
    server.answer("/sdk/proxy", {**RESULT, "headers": {"Content-Type": "application/json", "content-encoding": "gzip"}})
    result = proxy(server)
    assert (result.body_bytes(), result.body_text(), result.body_json()) == (b'{"id": 7}', '{"id": 7}', {"id": 7})
    assert isinstance(result.response, httpx.Response)
    assert (result.response.status_code, result.response.json()) == (200, {"id": 7})


def test_m084_m085_m168_a_call_that_waits_for_a_person(server: Scripted) -> None:
    server.answer("/sdk/proxy", PENDING, status=202)
    server.answer(ASK, status("pending"))
    pending = proxy(server)
    assert isinstance(pending, PendingApproval)
    now = managed("get_approval_status", pending.approval_id, wait=3)
    assert (now.status, now.is_terminal) == ("pending", False)
    assert server.requests(ASK)[0].target == f"{ASK}?wait=3"


def test_m086_m087_a_call_that_the_policy_forbids(server: Scripted) -> None:
    server.answer("/sdk/proxy", {"error": "not_now", "message": "office hours only"}, status=403)
    with pytest.raises(PolicyViolationError, match="office hours"):
        proxy(server)
    server.answer("/sdk/proxy", {"error": "grant_not_found"}, status=404)
    with pytest.raises(AgentDelegationMissingError):
        proxy(server, agent=True)


def test_m088_m089_the_refund_example(server: Scripted) -> None:
    server.answer("/sdk/proxy", RESULT)
    example = """
result = await vault.proxy_request(
    HttpMethod.POST,
    "https://api.example.com/v1/refunds",
    grant_id=GRANT_ID,
    json_body={"amount": 1000},
    reason="Customer ticket #4421",
)
await vault.close()
"""
    names = run_example(example, server, vault=App(APP_KEY), HttpMethod=HttpMethod, GRANT_ID=GRANT)
    assert names["result"].status_code == 200
    body = only(server).json()
    assert (body["method"], body["body"], body["reason"]) == ("POST", {"amount": 1000}, "Customer ticket #4421")


def test_m090_m169_the_transfer_example_and_the_wait(server: Scripted) -> None:
    server.answer("/sdk/proxy", PENDING, status=202)
    server.answer(ASK, status("executed", has_result=True))
    server.answer(f"{ASK}/result", {**RESULT, "approval_id": APPROVAL_ID})
    example = """
result = await app.proxy_request(
HttpMethod.POST, "https://api.example.com/transfer",
grant_id=grant_id, json={"amount": 1000}, reason="Quarterly payout",
)
if isinstance(result, PendingApproval):
    result = await app.await_approval(result.approval_id, timeout=20)
await app.close()
"""
    names = run_example(
        example, server, app=App(APP_KEY), HttpMethod=HttpMethod, grant_id=GRANT, PendingApproval=PendingApproval
    )
    assert str(names["result"].approval_id) == APPROVAL_ID
    assert names["result"].response.json() == {"id": 7}


def test_m091_a_key_that_runs_once_goes_with_the_signed_body(server: Scripted) -> None:
    server.answer("/sdk/proxy", RESULT)
    proxy(server, idempotency_key="order-7", reason="why")
    assert list(only(server).json())[-1] == "idempotency_key"
    for wrong in ("", "é", "k" * 256, 7):
        with pytest.raises(AlterValueError, match="idempotency_key"):
            proxy(server, idempotency_key=wrong)


def test_m169_a_denial_has_the_approvers_words_and_a_wait_its_end(server: Scripted) -> None:
    server.answer(ASK, status("denied", decision_reason="too much"))
    with pytest.raises(ApprovalDeniedError, match="too much") as denied:
        managed("await_approval", APPROVAL_ID, agent=True)
    assert denied.value.approval_id == APPROVAL_ID
    server.answer(ASK, status("pending"))
    with pytest.raises(ApprovalTimeoutError):
        managed("await_approval", APPROVAL_ID, timeout=0.05, poll_interval=0.01)


def test_m169_a_wait_can_be_cancelled(server: Scripted) -> None:
    server.answer(ASK, status("pending"), hold=True)

    async def main() -> None:
        async with App(APP_KEY) as app:
            waiting = asyncio.ensure_future(app.await_approval(APPROVAL_ID))
            await asyncio.to_thread(server.wait_for_requests, ASK, 1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    run(main())
    server.wait_for_closed_while_held(1)


def test_m171_the_models_are_exported() -> None:
    for name in ("PendingApproval", "ApprovalStatus", "ApprovalResult", "ApprovalGate", "ApprovalGateStatus"):
        assert getattr(alter_sdk, name).__name__ == name
