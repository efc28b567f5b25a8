"""Acceptance rows of the seed documents: the printed examples of `request()`, unchanged."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

from alter_sdk import AlterVault, App, HttpMethod
from matrix import provider_request, reports, run_example, token_request
from scripted import APP_KEY, GRANT, Scripted

CLOSE = "\nawait client.close()\n"


def test_m058_the_openai_example(server: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    server.answer("/v1/chat/completions", {"choices": []})
    example = """
response = await vault.request(
    HttpMethod.POST,
    "https://api.openai.com/v1/chat/completions",
    grant_id=OPENAI_GRANT_ID,
    json={"model": "gpt-4", "messages": [{"role": "user", "content": "hi"}]},
    context={"tool": "summarize"},
)
print(response.status_code, response.json())
"""
    vault = App(APP_KEY)
    run_example(example + CLOSE, server, vault=vault, client=vault, HttpMethod=HttpMethod, OPENAI_GRANT_ID=GRANT)
    assert capsys.readouterr().out == "200 {'choices': []}\n"
    seen = provider_request(server, "/v1/")
    assert (seen.method, seen.json()["model"]) == ("POST", "gpt-4")
    assert [report["context"] for report in reports(server)] == [{"tool": "summarize"}]


def test_m059_the_google_calendar_example(server: Scripted) -> None:
    server.answer("/calendar/v3/", {"items": [1]})
    example = """
response = await app.request(
HttpMethod.GET, "https://www.googleapis.com/calendar/v3/calendars/primary/events",
provider="google", reason="Sync events on page load",
)
"""
    app = App(api_key=APP_KEY, user_token_getter=lambda: "the-jwt")
    names = run_example(example + CLOSE, server, app=app, client=app, HttpMethod=HttpMethod)
    assert names["response"].json() == {"items": [1]}
    body = token_request(server)
    assert (body["provider_id"], body["user_token"]) == ("google", "the-jwt")
    assert body["reason"] == "Sync events on page load"
    assert provider_request(server, "/calendar/").target == "/calendar/v3/calendars/primary/events"


CREATE_RESOURCE = '''
async def create_resource(grant_id: str, name: str, description: str):
    """Use an existing grant_id (e.g., from a database) to create a resource."""
    async with AlterVault(
        api_key="alter_key_...",
        caller="my-agent",
    ) as vault:
        response = await vault.request(
            HttpMethod.POST,
            "https://api.example.com/v1/resources",
            grant_id=grant_id,
            json={"name": name, "description": description},
            reason="Creating a new resource",
        )
        data = response.json()
        if data.get("id"):
            print(f"Resource created: {data['id']}")
        else:
            print(f"Error: {data.get('error')}")
'''


@pytest.mark.parametrize(
    ("answer", "printed"), [({"id": "r-7"}, "Resource created: r-7\n"), ({"error": "taken"}, "Error: taken\n")]
)
def test_m060_the_example_of_a_new_resource(
    answer: Any, printed: str, server: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer("/v1/resources", answer)
    use = f"await create_resource({GRANT!r}, 'a name', 'a description')"
    run_example(CREATE_RESOURCE + use, server, AlterVault=AlterVault, HttpMethod=HttpMethod)
    assert capsys.readouterr().out == printed
    assert provider_request(server, "/v1/").json() == {"name": "a name", "description": "a description"}
    (token,) = server.requests("/sdk/token")
    assert (token.header("x-alter-caller"), token.json()["reason"]) == ("my-agent", "Creating a new resource")


def test_m061_the_stripe_example(server: Scripted) -> None:
    server.answer("/v1/charges", {"id": "ch_1"})
    example = """
from alter_sdk import App, HttpMethod

vault = App(api_key=ALTER_API_KEY)

response = await vault.request(
    HttpMethod.POST,
    "https://api.stripe.com/v1/charges",
    grant_id=STRIPE_GRANT_ID,
    body={"amount": "2000", "currency": "usd"},
)
await vault.close()
"""
    names = run_example(example, server, ALTER_API_KEY=APP_KEY, STRIPE_GRANT_ID=GRANT)
    assert names["response"].json() == {"id": "ch_1"}
    seen = provider_request(server, "/v1/")
    assert parse_qs(seen.body.decode()) == {"amount": ["2000"], "currency": ["usd"]}
    assert seen.header("content-type") == "application/x-www-form-urlencoded"
