"""Calls that succeed and fail, with every log on. Prints all that can be seen of the outcomes."""

import asyncio
import logging
import os
import sys
import traceback
from typing import Any

from alter_sdk import AlterSDKError, App

url, key, grant = sys.argv[1:]
os.environ["ALTER_BASE_URL"] = url
logging.basicConfig(level=1, stream=sys.stderr)
logging.getLogger("alter_sdk").setLevel(1)


def show(error: AlterSDKError) -> None:
    for told in traceback.TracebackException.from_exception(error, capture_locals=True).format():
        print(told)


async def call(app: App, to: str, **more: Any) -> None:
    try:
        response = await app.request("POST", to, grant_id=grant, json={"a": 1}, **more)
        print(response, vars(response), response.headers, response.text)
    except AlterSDKError as error:
        show(error)


async def main() -> None:
    # A loop in debug mode says what it runs, and so proves that the switches are on.
    asyncio.get_running_loop().slow_callback_duration = 0.0
    async with App(key, timeout=0.5) as app:
        print(app, repr(app))
        for path in ("/p/x", "/p/refused", "/p/held"):
            await call(app, url + path)
        await call(app, "http://127.0.0.1:9/")
        await call(app, "https://h.example/{missing}")
        await call(app, url.replace("http:", "https:") + "/p/no-tls")
    await call(app, url + "/p/closed")


asyncio.run(main(), debug=True)
