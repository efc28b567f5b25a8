"""What a new process pays for its first call: import, client, first answer. Prints one JSON object, in seconds.

Arguments: the vault's address, the provider's URL, the API key, the grant.
"""

import asyncio  # in every program that makes calls, so not a package's own cost
import json
import os
import sys
import time

_, base_url, url, api_key, grant = sys.argv
os.environ["ALTER_BASE_URL"] = base_url


class Span:
    """Measures what happens inside of `with`."""

    def __enter__(self) -> "Span":
        self.started, self.used = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *exception: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self.started, time.process_time() - self.used


async def main() -> dict[str, Span]:
    """Imports the package, makes a client, makes a call."""
    with Span() as importing:
        from alter_sdk import App
    with Span() as constructing:
        app = App(api_key)
    with Span() as calling:
        response = await app.request("GET", url, grant_id=grant)
        if response.status_code != 200 or not response.content:
            raise RuntimeError("the provider's answer is not the stub's")
    await app.close()
    return {"import": importing, "client": constructing, "first_call": calling}


spans = asyncio.run(main())
print(json.dumps({name: {"cpu_seconds": span.cpu, "wall_seconds": span.wall} for name, span in spans.items()}))
