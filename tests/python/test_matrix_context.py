"""Acceptance rows of the seed documents: the context of a call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alter_sdk import AlterValueError, AlterVault, HttpMethod
from matrix import call, refused, reports, run_example
from scripted import APP_KEY, GRANT, Scripted


@pytest.mark.parametrize("context", [{"tool": 5}, {5: "tool"}, {"tool": None}, {"tool": ["a"]}], ids=str)
def test_m194_keys_and_values_are_text(context: Any, server: Scripted) -> None:
    assert "context" in refused(server, AlterValueError, context=context).message


def of_size(size: int) -> dict[str, str]:
    """A context that is this long as compact JSON."""
    context = {f"k{n}": "v" * 400 for n in range(9)}
    context["last"] = ""
    context["last"] = "v" * (size - len(json.dumps(context, separators=(",", ":"))))
    return context


def check_limit(server: Scripted, taken: dict[str, str], too_much: dict[str, str]) -> None:
    """That one context is refused before anything is sent, and the other arrives whole."""
    assert "context" in refused(server, AlterValueError, context=too_much).message
    call(server, context=taken)
    (seen,) = server.requests("/sdk/token")
    assert json.loads(seen.header("x-alter-context") or "") == taken


def test_m195_there_may_be_20_keys(server: Scripted) -> None:
    check_limit(server, {f"k{n}": "v" for n in range(20)}, {f"k{n}": "v" for n in range(21)})


def test_m196_a_key_may_have_64_characters(server: Scripted) -> None:
    check_limit(server, {"k" * 64: "v"}, {"k" * 65: "v"})


def test_m197_a_value_may_have_512_characters(server: Scripted) -> None:
    check_limit(server, {"k": "v" * 512}, {"k": "v" * 513})


def test_m198_the_json_may_have_4096_bytes(server: Scripted) -> None:
    check_limit(server, of_size(4096), of_size(4097))


def test_m199_nothing_is_dropped_in_silence(server: Scripted) -> None:
    refused(server, AlterValueError, context={"kept": "v", "too long": "v" * 513})
    call(server, context={"kept": "v", "empty": ""})
    (report,) = reports(server)
    assert report["context"] == {"kept": "v", "empty": ""}


def test_m201_the_example_of_a_context(server: Scripted) -> None:
    server.answer("/calendar/v3/", {"items": []})
    example = """
        response = await vault.request(
            HttpMethod.GET,
            "https://www.googleapis.com/calendar/v3/calendars/primary/events",
            grant_id="GRANT_ID",  # from Alter Connect
            context={"tool": "read_calendar", "agent": "cursor"},
        )
        await vault.close()
    """
    vault = AlterVault(APP_KEY)
    names = run_example(example.replace("GRANT_ID", GRANT), server, vault=vault, HttpMethod=HttpMethod)
    assert names["response"].json() == {"items": []}
    (report,) = reports(server)
    assert report["context"] == {"tool": "read_calendar", "agent": "cursor"}


def test_m202_the_example_of_two_callers(server: Scripted) -> None:
    server.answer("/gmail/v1/", {})
    server.answer("/calendar/v3/", {})
    example = """
        # Each agent gets its own vault instance
        email_agent = AlterVault(
            api_key="alter_key_...",
            caller="email-assistant-v2",
        )
        calendar_agent = AlterVault(
            api_key="alter_key_...",
            caller="calendar-agent-v1",
        )
        # Audit logs and policies are tracked per caller
        await email_agent.request(
            HttpMethod.GET,
            "https://gmail.googleapis.com/gmail/v1/users/me/messages",
            grant_id=gmail_grant_id,  # from Alter Connect
        )
        await calendar_agent.request(
            HttpMethod.GET,
            "https://www.googleapis.com/calendar/v3/calendars/primary/events",
            grant_id=calendar_grant_id,  # from Alter Connect
        )
        # Clean up each instance
        await email_agent.close()
        await calendar_agent.close()
    """
    names = {"AlterVault": AlterVault, "HttpMethod": HttpMethod}
    run_example(example, server, gmail_grant_id=GRANT, calendar_grant_id=GRANT, **names)
    callers = [seen.header("x-alter-caller") for seen in server.requests("/sdk/token")]
    assert callers == ["email-assistant-v2", "calendar-agent-v1"]
    assert (len(server.requests("/gmail/")), len(server.requests("/calendar/"))) == (1, 1)
