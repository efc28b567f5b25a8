"""`AlterVault`: the one client of earlier versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alter_sdk.app import App
from alter_sdk.providers.enums import CallerType

if TYPE_CHECKING:
    import logging

    from alter_sdk._client import UserTokenGetter


class AlterVault(App):
    """The client of earlier versions, for programs written for them; new ones use `App` or `Agent`.

    It takes a key of any type, and unlike `App` it stands for an agent unless it is told otherwise.
    """

    __slots__ = ()

    def __init__(
        self,
        api_key: str,
        *,
        timeout: float | None = 30.0,
        caller: str | None = None,
        caller_type: CallerType | str = CallerType.AGENT,
        user_token_getter: UserTokenGetter | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        self._open("app", api_key, timeout, caller, caller_type, user_token_getter, logger)
