"""Calls that will never be answered, on the main thread's loop and on another thread's, when the program ends."""

import asyncio
import os
import sys
import threading

from alter_sdk import App

url, key, grant, _ = sys.argv[1:]
os.environ["ALTER_BASE_URL"] = url

app = App(key)
started = threading.Event()


async def hang(n: int) -> None:
    await app.request("GET", f"{url}/held/{n}", grant_id=grant)


async def on_thread() -> None:
    tasks = [asyncio.create_task(hang(n)) for n in range(5)]
    await asyncio.sleep(0)
    started.set()
    await asyncio.gather(*tasks)


async def on_main() -> None:
    tasks = [asyncio.create_task(hang(n)) for n in range(5)]
    await asyncio.wait(tasks, timeout=0.05)


threading.Thread(target=lambda: asyncio.run(on_thread()), daemon=True).start()
started.wait()
asyncio.run(on_main())
