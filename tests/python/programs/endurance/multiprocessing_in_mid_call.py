"""Processes that `multiprocessing` forks while calls are under way, and that make calls with the same client."""

import asyncio
import multiprocessing
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


async def some_calls() -> None:
    held = [asyncio.create_task(call(f"held/{n}")) for n in range(4)]
    assert await asyncio.gather(*(call(f"p/{n}") for n in range(5))) == [200] * 5
    held[0].cancel()


def in_child() -> None:
    asyncio.run(some_calls())


async def main() -> None:
    calls = [asyncio.create_task(call(f"p/{n}")) for n in range(8)]
    await asyncio.wait(calls, timeout=moment)
    children = [multiprocessing.get_context("fork").Process(target=in_child) for _ in range(2)]
    for child in children:
        child.start()
    assert await asyncio.gather(*calls) == [200] * 8
    await some_calls()
    for child in children:
        child.join()
        assert child.exitcode == 0, f"a child ended with {child.exitcode}"


asyncio.run(main())
