"""`asyncio.run` twice with one client: each time calls are answered, given up, and left under way."""

import asyncio
import os
import sys

from alter_sdk import App

url, key, grant, number = sys.argv[1:]
os.environ["ALTER_BASE_URL"] = url
moment = int(number) % 20 / 1000

app = App(key)


async def call(path: str) -> int:
    response = await app.request("GET", f"{url}/{path}", grant_id=grant)
    return response.status_code


async def main() -> None:
    answered = [asyncio.create_task(call(f"p/{n}")) for n in range(8)]
    held = [asyncio.create_task(call(f"held/{n}")) for n in range(4)]
    assert await asyncio.gather(*answered) == [200] * 8
    for task in held[::2]:
        task.cancel()
    late = [asyncio.create_task(call(f"p/{n}")) for n in range(8)]
    await asyncio.wait(late, timeout=moment)


asyncio.run(main())
asyncio.run(main())
