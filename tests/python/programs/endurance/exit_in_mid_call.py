"""A program that ends itself from inside a coroutine, at any moment of its calls: politely, or without another look."""

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
    tasks = [asyncio.create_task(call(f"{path}/{n}")) for n in range(8) for path in ("p", "held")]
    await asyncio.wait(tasks, timeout=moment)
    for task in tasks[::4]:
        task.cancel()
    if int(number) % 2 == 0:
        sys.exit(0)
    os._exit(0)


asyncio.run(main())
