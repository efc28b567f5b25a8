"""`App`: an application's client."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from alter_sdk._client import Client
from alter_sdk._logging import Reporter
from alter_sdk.agent import Agent
from alter_sdk.exceptions import AlterValueError
from alter_sdk.providers.enums import CallerType

if TYPE_CHECKING:
    import logging

    from alter_sdk._client import UserTokenGetter


class App(Client):
    """An application's client of the vault.

        async with App(os.environ["ALTER_KEY"]) as app:
            response = await app.request("GET", "https://api.example.com/v1/me", grant_id=grant_id)

    Args:
        api_key: The application's key, `alter_rk_…` (or one of the older `alter_key_…` form).
        timeout: Seconds for connecting, and for each wait for data; `None` waits without end.
        caller: Who makes the calls, for the audit log: 1 to 255 printable ASCII characters. An agent's id acts as it.
        caller_type: `CallerType.SERVICE` or `CallerType.AGENT`; groups the audit log.
        user_token_getter: Returns the signed-in user's JWT; a function or a coroutine function. Asked for every call
            that brings no `user_token`.
        logger: Takes warnings; `logging.getLogger("alter_sdk")` if not given.

    Raises:
        AlterSDKError: The key is malformed (found before anything is sent), `ALTER_BASE_URL` is, the getter cannot be
            called, or the logger cannot take warnings.
        AlterValueError: `caller`, `caller_type` or `timeout` is refused.
    """

    __slots__ = ()

    def __init__(
        self,
        api_key: str,
        *,
        timeout: float | None = 30.0,
        caller: str | None = None,
        caller_type: CallerType | str = CallerType.SERVICE,
        user_token_getter: UserTokenGetter | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        self._open("app", api_key, timeout, caller, caller_type, user_token_getter, logger)

    def get_agent(self, agent_id: str | uuid.UUID) -> Agent:
        """A client that acts as one of the application's agents, with the application's key.

        It is attribution, not a boundary: whatever the key may do, this client may do. It has connections of its own,
        so it must be closed by itself.

        Raises:
            AlterValueError: `agent_id` is not a UUID, or this client is closed.
        """
        try:
            canonical = str(agent_id if isinstance(agent_id, uuid.UUID) else uuid.UUID(agent_id))
        except (AttributeError, TypeError, ValueError):
            raise AlterValueError(
                f"agent_id is not a UUID: {agent_id!r:.80}. Use the id that the vault gave the agent."
            ) from None
        agent = Agent.__new__(Agent)
        reporter = Reporter(self._reporter.logger)
        agent._adopt(self._engine.agent(canonical, reporter.number), reporter, None, None)
        return agent
