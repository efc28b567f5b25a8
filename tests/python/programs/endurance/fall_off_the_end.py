"""Twenty calls at once, half of them cancelled, some still under way when the program simply ends."""

import asyncio
import os
import sys

from alter_sdk import App

url, key, grant, _ = sys.argv[1:]
os.environ["ALTER_BASE_URL"] = url

app = App(key)


async def call(n: int) -> int:
    response = await app.request("GET", f"{url}/p/{n}", grant_id=grant)
    return response.status_code


async def main() -> None:
    tasks = [asyncio.create_task(call(n)) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[::2]), outcomes
    assert outcomes[1::2] == [200] * 10, outcomes


asyncio.run(main())
