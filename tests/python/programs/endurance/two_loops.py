"""Two event loops in two threads share a client. One ends with calls of which half were given up; the other is in the
middle of its calls when the program ends."""

import asyncio
import os
import sys
import threading

from alter_sdk import App

url, key, grant, number = sys.argv[1:]
os.environ["ALTER_BASE_URL"] = url
moment = int(number) % 20 / 1000

app = App(key)


async def call(path: str) -> int:
    response = await app.request("GET", f"{url}/{path}", grant_id=grant)
    return response.status_code


async def ending() -> None:
    quick = [asyncio.create_task(call(f"p/{n}")) for n in range(8)]
    held = [asyncio.create_task(call(f"held/{n}")) for n in range(4)]
    assert await asyncio.gather(*quick) == [200] * 8
    for task in held[::2]:
        task.cancel()
    await asyncio.wait(held, timeout=moment)


async def endless() -> None:
    held = [asyncio.create_task(call(f"held/{n}")) for n in range(4)]
    while not any(task.done() for task in held):
        await asyncio.gather(*(call(f"p/{n}") for n in range(5)))


threading.Thread(target=lambda: asyncio.run(endless()), daemon=True).start()
thread = threading.Thread(target=lambda: asyncio.run(ending()))
thread.start()
thread.join()
