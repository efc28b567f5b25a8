"""Acceptance rows of the seed documents: the end of a client."""

from __future__ import annotations

from typing import Any

import pytest

from alter_sdk import Agent, AlterSDKError, AlterVault, App
from matrix import run, run_example
from scripted import AGENT_ID, AGENT_KEY, APP_KEY, GRANT, Scripted

CLIENTS = pytest.mark.parametrize(("kind", "key"), [(App, APP_KEY), (Agent, AGENT_KEY), (AlterVault, APP_KEY)])


@CLIENTS
def test_m203_m204_close_frees_the_connections_and_may_be_repeated(kind: Any, key: str, server: Scripted) -> None:
    async def main() -> None:
        client = kind(key)
        await client.request("GET", f"{server.url}/p/x", grant_id=GRANT)
        assert server.connections > 0
        await client.close()
        server.wait_until_all_closed()
        await client.close()
        await client.close()

    run(main())


@CLIENTS
def test_m205_a_closed_client_raises_the_base_class(kind: Any, key: str, server: Scripted) -> None:
    async def main() -> None:
        client = kind(key)
        await client.close()
        with pytest.raises(AlterSDKError, match="closed") as caught:
            await client.request("GET", f"{server.url}/p/x", grant_id=GRANT)
        assert type(caught.value) is AlterSDKError
        with pytest.raises(AlterSDKError, match="closed"):
            client.with_constraints(scopes=["tokens:retrieve"])
        with pytest.raises(AlterSDKError, match="closed"):
            client.boto3_client("s3", grant_id=GRANT)
        if isinstance(client, App):
            with pytest.raises(AlterSDKError, match="closed"):
                client.get_agent(AGENT_ID)

    run(main())
    assert server.requests() == []


WITH = """
# GOOD - Automatic cleanup
async with AlterVault(
    api_key="alter_key_...",
    caller="my-agent",
) as vault:
    response = await vault.request("GET", "https://api.example.com/p/x", grant_id=GRANT)
# Clients automatically closed
"""

BY_HAND = """
vault = AlterVault(
    api_key="alter_key_...",
    caller="my-agent",
)
response = await vault.request("GET", "https://api.example.com/p/x", grant_id=GRANT)
await vault.close()
"""


@pytest.mark.parametrize("example", [WITH, BY_HAND], ids=["async with", "by hand"])
def test_m206_both_ways_of_closing_work(example: str, server: Scripted) -> None:
    names = run_example(example, server, AlterVault=AlterVault, GRANT=GRANT)
    assert names["response"].status_code == 200
    with pytest.raises(AlterSDKError, match="closed"):
        run(names["vault"].request("GET", f"{server.url}/p/x", grant_id=GRANT))
    assert len(server.requests("/p/")) == 1
