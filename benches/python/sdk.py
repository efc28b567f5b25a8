"""Calls through whatever `alter_sdk` is installed: ours or the public package."""

import os

from control import Order, obey

from alter_sdk import App


class Sdk:
    """An application's client."""

    def __init__(self, order: Order) -> None:
        os.environ["ALTER_BASE_URL"] = order["base_url"]
        self.app = App(order["api_key"])
        self.url, self.grant = order["provider_url"], order["grants"][0]

    async def call(self) -> None:
        """Makes one call and looks at what any program looks at."""
        response = await self.app.request("GET", self.url, grant_id=self.grant)
        if response.status_code != 200 or not response.content:
            raise RuntimeError("the provider's answer is not the stub's")

    async def close(self) -> None:
        """Waits for the reports."""
        await self.app.close()


async def make(order: Order) -> Sdk:
    """Makes the client."""
    return Sdk(order)


obey(make)
