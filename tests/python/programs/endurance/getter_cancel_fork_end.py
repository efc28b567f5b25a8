"""Everything that a bridge can get wrong, in one short life: token getters, cancellation, threads with loops of their
own, a fork in mid-call whose child makes calls with the same client, and an end without a close."""

import asyncio
import os
import sys
import threading
import warnings

from alter_sdk import App

url, key, grant, _ = sys.argv[1:]
os.environ["ALTER_BASE_URL"] = url
# What Python says since 3.12 about every fork of a process with threads.
warnings.simplefilter("ignore", DeprecationWarning)


async def user_token() -> str:
    await asyncio.sleep(0)
    return "jwt"


app = App(key, user_token_getter=user_token)


async def call(n: int) -> int:
    response = await app.request("GET", f"{url}/p/{n}", grant_id=grant)
    return response.status_code


async def half_cancelled(count: int) -> None:
    tasks = [asyncio.create_task(call(n)) for n in range(count)]
    await asyncio.wait(tasks, timeout=0.002)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[1::2] == [200] * (count // 2), outcomes


threads = [threading.Thread(target=lambda: asyncio.run(half_cancelled(10))) for _ in range(2)]
for thread in threads:
    thread.start()

# While the threads' calls are under way. The child ends as any program does, by falling off its end.
child = os.fork()
asyncio.run(half_cancelled(10))
if child != 0:
    for thread in threads:
        thread.join()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child ended with {status}"
