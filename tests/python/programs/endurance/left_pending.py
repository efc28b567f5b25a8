"""A loop that is never closed, and calls never cancelled: the interpreter destroys their coroutines at its end."""

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


async def begin() -> list["asyncio.Task[int]"]:
    tasks = [asyncio.create_task(call(f"{path}/{n}")) for n in range(8) for path in ("p", "held")]
    await asyncio.wait(tasks, timeout=moment)
    return tasks


loop = asyncio.new_event_loop()
# asyncio complains of any task that is destroyed while it waits, whatever it waits for.
loop.set_exception_handler(lambda loop, context: None)
tasks = loop.run_until_complete(begin())
