"""`Agent`: an AI agent's client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alter_sdk._client import Client
from alter_sdk.providers.enums import CallerType

if TYPE_CHECKING:
    import logging

    from alter_sdk._client import UserTokenGetter


class Agent(Client):
    """An AI agent's client of the vault. It reaches what was delegated to the agent, and its own grants.

    Args:
        api_key: The agent's key.
        timeout: Seconds for connecting, and for each wait for data; `None` waits without end.
        caller: Who makes the calls, for the audit log: 1 to 255 printable ASCII characters.
        user_token_getter: Returns the signed-in user's JWT; a function or a coroutine function.
        logger: Takes warnings; `logging.getLogger("alter_sdk")` if not given.

    Raises:
        AlterSDKError: The key is malformed (found before anything is sent), `ALTER_BASE_URL` is, the getter cannot be
            called, or the logger cannot take warnings.
        AlterValueError: `caller` or `timeout` is refused.
    """

    __slots__ = ()

    def __init__(
        self,
        api_key: str,
        *,
        timeout: float | None = 30.0,
        caller: str | None = None,
        user_token_getter: UserTokenGetter | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        self._open("agent", api_key, timeout, caller, CallerType.AGENT, user_token_getter, logger)
