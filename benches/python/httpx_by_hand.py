"""The three exchanges of a call with httpx and nothing of anybody's SDK: no signature, no checks."""

import asyncio
from typing import Any

import httpx
from control import Order, obey


class ByHand:
    """A client of the stub, with the public package's settings of httpx."""

    def __init__(self, order: Order) -> None:
        self.http = httpx.AsyncClient(
            http2=True, limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30)
        )
        self.headers = {"x-api-key": order["api_key"]}
        self.base_url, self.url, self.grant = order["base_url"], order["provider_url"], order["grants"][0]
        self.reports: set[asyncio.Task[None]] = set()

    async def call(self) -> None:
        """Token, provider, and the report in the background."""
        ask = {"grant_id": self.grant, "reason": None, "request": {"method": "GET", "url": self.url}}
        token = (await self.post("/sdk/token", ask)).json()
        response = await self.http.get(self.url, headers={"Authorization": f"Bearer {token['access_token']}"})
        response.raise_for_status()
        report = asyncio.create_task(self.report(token, response))
        self.reports.add(report)
        report.add_done_callback(self.reports.discard)

    async def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """One exchange with the vault."""
        return (await self.http.post(self.base_url + path, json=body, headers=self.headers)).raise_for_status()

    async def report(self, token: dict[str, Any], response: httpx.Response) -> None:
        """The report of one call, as long as ours are."""
        told = {
            "grant_id": token["grant_id"],
            "provider_id": "bench",
            "token_generation": None,
            "method": "GET",
            "url": self.url,
            "request_headers": {"User-Agent": "bench"},
            "request_body": None,
            "response_status": response.status_code,
            "response_headers": dict(response.headers),
            "response_body": response.text,
            "latency_ms": 1,
            "reason": None,
            "context": None,
        }
        await self.post("/sdk/oauth/audit/api-call", told)

    async def close(self) -> None:
        """Waits for the reports."""
        await asyncio.gather(*self.reports)
        await self.http.aclose()


async def make(order: Order) -> ByHand:
    """Makes the client."""
    return ByHand(order)


obey(make)
