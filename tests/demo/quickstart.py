"""Calls an API through a grant: `quickstart.py URL GRANT_ID`, with the app's key in ALTER_API_KEY."""

import asyncio
import os
import sys

from alter_sdk import App


async def main(url: str, grant: str) -> None:
    async with App(os.environ["ALTER_API_KEY"]) as app:
        response = await app.request("GET", url, grant_id=grant)
        print(response.status_code, response.text)


asyncio.run(main(*sys.argv[1:]))
