"""Runs conformance calls with whatever `alter_sdk` is installed; started by `cargo xtask conformance`.

Standard input: one JSON object, `{"calls": [{"id", "base_url", "api_key", "scopes", "rule", "request": {...}}]}`.
Standard output: one JSON object a line, `{"id", "status"}` or `{"id", "error", "bases", "attributes"}`, with what a
caller can see of the answer in `visible`.
"""

import asyncio
import dataclasses
import json
import logging
import os
import sys
import warnings
from typing import Any

import alter_sdk
from alter_sdk.exceptions import AlterSDKError


def plain(value: Any) -> Any:
    """The JSON form of something in an attribute: a data class becomes its fields, anything without a form its text."""
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else str(value)


def attributes(error: BaseException) -> dict[str, Any]:
    """What an exception carries, without its message. Other names for the same value are not looked at here."""
    own = {name: value for name, value in vars(error).items() if not name.startswith("_") and name != "message"}
    return json.loads(json.dumps(own, default=plain))


def raised(error: Exception) -> dict[str, Any]:
    """What a caller can tell from an exception."""
    bases = [base.__name__ for base in type(error).__mro__ if issubclass(base, AlterSDKError)]
    return {
        "error": type(error).__name__,
        "bases": bases,
        "attributes": attributes(error),
        "visible": [str(error), repr(error), repr(vars(error))],
    }


def returned(response: Any) -> dict[str, Any]:
    """What a caller can tell from a response."""
    request = response.request
    visible = [
        repr(response),
        response.text,
        str(response.headers.raw),
        str(response.url),
        str(request.url),
        str(request.headers.raw),
    ]
    return {"status": response.status_code, "visible": visible}


class Recorder(logging.Handler):
    """Keeps what is logged: a caller can see that too."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


async def call(case: dict[str, Any]) -> dict[str, Any]:
    """Makes one call with a client of its own."""
    os.environ["ALTER_BASE_URL"] = case["base_url"]
    try:
        async with alter_sdk.App(case["api_key"]) as app:
            client = app
            if case["scopes"] is not None or case["rule"] is not None:
                client = app.with_constraints(scopes=case["scopes"], rule=case["rule"])
            request = dict(case["request"])
            return returned(await client.request(request.pop("method"), request.pop("url"), **request))
    except Exception as error:  # whatever is raised is what is compared, an untyped exception too
        return raised(error)


async def main() -> None:
    """Makes every call in turn."""
    warnings.simplefilter("ignore")
    logged = Recorder()
    logging.basicConfig(level=logging.DEBUG, handlers=[logged])
    for case in json.load(sys.stdin)["calls"]:
        logged.lines.clear()
        told = await call(case)
        told["visible"] += logged.lines
        print(json.dumps({"id": case["id"], **told}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
