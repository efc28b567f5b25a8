"""Acceptance rows of the seed documents: traces, what goes with calls within them, and rules about what calls do."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

import pytest

from alter_sdk import Agent, AlterValueError, App, content_match_rule
from managed import AGENT
from matrix import run
from scripted import AGENT_ID, AGENT_KEY, APP_KEY, GRANT, Scripted


def told(server: Scripted, at: str) -> list[Any]:
    """The contexts of the requests to a path."""
    contexts = [seen.header("x-alter-context") for seen in server.requests(at)]
    return [context if context is None else json.loads(context) for context in contexts]


def test_m182_m185_every_call_within_a_trace_says_so(server: Scripted) -> None:
    server.answer("/sdk/agents/me", AGENT)

    async def main() -> None:
        async with Agent(AGENT_KEY, caller="mail") as agent:
            async with agent.trace(run_id="r-1", thread_id="t-1", team="ops"):
                await agent.me()
                await agent.request("GET", f"{server.url}/p/x", grant_id=GRANT)
                async with agent.trace(run_id="r-2", parent="boss"):
                    await agent.me()
                await agent.request("GET", f"{server.url}/p/x", grant_id=GRANT, context={"tool": "t"})
            await agent.me()

    run(main())
    outer = {"agent": "mail", "run_id": "r-1", "thread_id": "t-1", "team": "ops"}
    inner = {**outer, "run_id": "r-2", "parent_agent": "boss"}
    assert told(server, "/sdk/agents/me") == [outer, inner, None]
    assert told(server, "/sdk/token") == [outer, {"tool": "t"}]


def test_m182_concurrent_traces_do_not_mix(server: Scripted) -> None:
    server.answer("/sdk/agents/me", AGENT)

    async def main() -> None:
        async with Agent(AGENT_KEY) as agent:

            async def one(run_id: str) -> None:
                async with agent.trace(run_id=run_id):
                    await asyncio.sleep(0)
                    await agent.me()

            await asyncio.gather(*(one(f"r-{at}") for at in range(8)))

    run(main())
    contexts = told(server, "/sdk/agents/me")
    assert sorted(context["run_id"] for context in contexts) == [f"r-{at}" for at in range(8)]
    (name,) = {context["agent"] for context in contexts}
    assert name.startswith("agent-local-")


def test_m182_a_trace_ends_with_an_exception_too_and_refuses_on_entering(server: Scripted) -> None:
    server.answer("/sdk/agents/me", AGENT)

    async def main() -> None:
        async with Agent(AGENT_KEY) as agent:
            with pytest.raises(RuntimeError, match="mine"):
                async with agent.trace(run_id="r"):
                    raise RuntimeError("mine")
            await agent.me()
            wrong = agent.trace(tool="x")
            with pytest.raises(AlterValueError, match="metadata"):
                await wrong.__aenter__()
            with pytest.raises(AlterValueError, match="run_id"):
                async with agent.trace(run_id=5):  # pyright: ignore
                    pass

    run(main())
    assert told(server, "/sdk/agents/me") == [None]


def test_m182_a_trace_that_is_never_entered_is_told(server: Scripted) -> None:
    agent = Agent(AGENT_KEY)
    with pytest.warns(ResourceWarning, match="async with"):
        agent.trace(run_id="r")
        gc.collect()
    run(agent.close())
    assert server.requests() == []


def test_m192_a_rule_about_what_calls_do(server: Scripted) -> None:
    rule = content_match_rule(
        families=("send",),
        params=[{"name": "to", "op": "not_subset_of", "value": ["*@example.com"]}],
        effect="redact",
        redact_fields=["iban"],
    )
    assert rule == {
        "rule_type": "content_match",
        "rule_body": {
            "match": {"families": ["send"]},
            "params": [{"name": "to", "op": "not_subset_of", "value": ["*@example.com"]}],
            "effect": "redact",
            "redact": {"fields": ["iban"]},
        },
    }

    async def main() -> None:
        async with App(APP_KEY) as app:
            await app.with_constraints(rule=rule).request("GET", f"{server.url}/p/x", grant_id=GRANT)

    run(main())
    (seen,) = server.requests("/sdk/token")
    assert seen.header("x-alter-request-rule") is not None


@pytest.mark.parametrize(("arguments", "field"), [
    ({}, "operations"), ({"families": {"read"}}, "families"), ({"families": ["read"], "effect": []}, "effect"),
    ({"families": ["read"], "params": [{"name": "a", "op": "gt", "value": True}]}, "value"),
])  # fmt: skip
def test_m192_a_rule_that_is_refused_names_its_field(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(AlterValueError, match=field):
        content_match_rule(**arguments)


def test_m192_a_narrowed_client_makes_no_agents_client_that_is_not(server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY) as app:
            narrowed = app.with_constraints(scopes=["tokens:retrieve"])
            with pytest.raises(AlterValueError, match="constrained"):
                narrowed.get_agent(AGENT_ID)
            # A client that was made of another has a name in traces, too.
            async with app.get_agent(AGENT_ID) as agent, agent.with_constraints(scopes=["a"]).trace(run_id="r"):
                pass

    run(main())
    assert server.requests() == []
