"""A fork while calls are under way. They go on in the parent; the child makes calls of its own with the same client and
ends in one of several ways, with calls under way again.

Since 3.12 Python warns of a fork in a process with threads, on standard error. Nothing is filtered here: at a fork the
engine has none."""

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


async def begin() -> tuple[list["asyncio.Task[int]"], list["asyncio.Task[int]"]]:
    quick = [asyncio.create_task(call(f"p/{n}")) for n in range(8)]
    held = [asyncio.create_task(call(f"held/{n}")) for n in range(4)]
    await asyncio.wait(quick, timeout=moment)
    return quick, held


async def finish(quick: list["asyncio.Task[int]"], held: list["asyncio.Task[int]"]) -> None:
    assert await asyncio.gather(*quick) == [200] * 8
    for task in held[::2]:
        task.cancel()
    given_up, _ = await asyncio.wait(held[::2])
    assert all(task.cancelled() for task in given_up)


async def whole_life() -> None:
    await finish(*await begin())


loop = asyncio.new_event_loop()
# The calls that still wait at the end are never cancelled, which asyncio would complain of.
loop.set_exception_handler(lambda loop, context: None)
quick, held = loop.run_until_complete(begin())
child = os.fork()
if child != 0:
    loop.run_until_complete(finish(quick, held))
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child ended with {status}"
else:
    asyncio.run(whole_life())
    if int(number) % 3 == 0:
        os._exit(0)
    elif int(number) % 3 == 1:
        sys.exit(0)
