"""How a program is told what to do: one order a line on standard input, one result a line on standard output.

Start-up is thereby outside of what is measured, and the rounds of several programs can be interleaved.
`benches/rust/src/control.rs` does the same in Rust and names the members of an order.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

Order = dict[str, Any]


class Client(Protocol):
    """Something that makes calls."""

    async def call(self) -> None:
        """Makes one call; work that it leaves in the background is awaited by `close`."""

    async def close(self) -> None:
        """Ends the work in the background. It is part of what is measured."""


async def make_calls(client: Client, callers: int, calls: int) -> None:
    """`callers` tasks make `calls` calls between them; each takes the next one when its call has ended."""
    left: Iterator[int] = iter(range(calls))

    async def caller() -> None:
        for _ in left:
            await client.call()

    await asyncio.gather(*(caller() for _ in range(callers)))


async def carry_out(make: Callable[[Order], Awaitable[Client]], order: Order) -> dict[str, float]:
    """Makes one measurement: processor time of this process, user and system, all threads."""
    client = await make(order)
    await make_calls(client, order["callers"], order["warm_up"])
    started, used = time.perf_counter(), time.process_time()
    await make_calls(client, order["callers"], order["calls"])
    await client.close()
    return {"cpu_seconds": time.process_time() - used, "wall_seconds": time.perf_counter() - started}


def obey(make: Callable[[Order], Awaitable[Client]]) -> None:
    """Carries out orders until standard input ends."""
    for line in sys.stdin:
        print(json.dumps(asyncio.run(carry_out(make, json.loads(line)))), flush=True)
