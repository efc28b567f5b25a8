"""Makes the calls besides request() with whatever `alter_sdk` is installed; started by `cargo xtask conformance`.

Standard input: one JSON object a line, `{"base_url", "api_key", "agent", "user_token", "operation", "arguments"}`.
Standard output: one JSON object for each, `{"result"}` or `{"error", "bases", "attributes", "visible"}`.
"""

import asyncio
import json
import os
import sys
import warnings
from operator import attrgetter
from typing import Any

from driver import raised

import alter_sdk

PRINCIPALS = {
    "user": alter_sdk.UserPrincipal,
    "group": alter_sdk.GroupPrincipal,
    "system": alter_sdk.SystemPrincipal,
    "agent": alter_sdk.AgentPrincipal,
}


def plain(value: Any) -> Any:
    """The JSON form of a result: a model becomes its fields."""
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


async def operate(case: dict[str, Any]) -> Any:
    """Makes one call with a client of its own."""
    os.environ["ALTER_BASE_URL"] = case["base_url"]
    arguments = dict(case["arguments"])
    if "principal" in arguments:
        principal = dict(arguments["principal"])
        arguments["principal"] = PRINCIPALS[principal.pop("type")](**principal)
    if case["operation"] == "verify_identity_assertion":
        return alter_sdk.verify_identity_assertion(arguments.pop("token"), **arguments)
    token = case["user_token"]
    getter = {} if token is None else {"user_token_getter": lambda: token}
    client_class = alter_sdk.Agent if case["agent"] else alter_sdk.App
    async with client_class(case["api_key"], **getter) as client:
        if "failing" in arguments:
            arguments["error"] = await failure(client, arguments.pop("failing"))
        if "spans" in arguments:
            arguments["spans"] = [alter_sdk.UserSpan(**span) for span in arguments["spans"]]
        # A name with a dot is a method of one of the client's namespaces.
        return await attrgetter(case["operation"])(client)(**arguments)


async def failure(client: Any, request: dict[str, Any]) -> Exception | None:
    """What a request fails with that cannot succeed."""
    try:
        await client.request("GET", request["url"], provider=request["provider"])
    except alter_sdk.AlterSDKError as error:
        return error
    return None


async def call(case: dict[str, Any]) -> dict[str, Any]:
    """What came of one call."""
    try:
        return {"result": plain(await operate(case))}
    except Exception as error:  # whatever is raised is what is compared, an untyped exception too
        return raised(error)


async def main() -> None:
    """Makes each call when it is asked for."""
    warnings.simplefilter("ignore")
    # The packages print the address that a person has to visit: not among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await call(json.loads(line))), file=answers, flush=True)


asyncio.run(main())
