"""What `App`, `Agent` and `AlterVault` have in common."""

from __future__ import annotations

import inspect
import warnings
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NoReturn, cast

from alter_sdk import _bridge, _engine, _operations, _trace, _visit
from alter_sdk._logging import Reporter, check_logger
from alter_sdk._telemetry import traceparent
from alter_sdk.exceptions import AlterSDKError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from types import TracebackType
    from uuid import UUID

    import httpx
    from typing_extensions import Self

    from alter_sdk._boto3 import BotoClient
    from alter_sdk.models import RateLimitSnapshot, RequestRule, RetryInfo
    from alter_sdk.providers import HttpMethod, Provider

    UserTokenGetter = Callable[[], str | Awaitable[str]]
    JSON = dict[str, Any] | list[Any] | str | bool | int | float | None
    QueryParams = Mapping[str, Any] | Sequence[tuple[str, Any]] | str


class Client:
    """One vault, one API key. It belongs to no event loop: any loop of any thread may use it, one after the other or at
    the same time.
    """

    __slots__ = ("__weakref__", "_engine", "_parent", "_reporter", "_user_token_getter")

    _engine: _engine.Client
    _parent: Client | None
    _reporter: Reporter
    _user_token_getter: UserTokenGetter | None

    def _open(
        self,
        kind: str,
        api_key: str,
        timeout: float | None,
        caller: str | None,
        caller_type: str,
        user_token_getter: UserTokenGetter | None,
        logger: Any,
    ) -> None:
        if user_token_getter is not None and not callable(user_token_getter):
            raise AlterSDKError("user_token_getter must be callable: a function that returns the signed-in user's JWT.")
        reporter = Reporter(logger)
        engine = _engine.Client(kind, api_key, timeout, caller, caller_type, reporter.number)
        check_logger(logger)
        self._adopt(engine, reporter, user_token_getter, None)
        self._write_lines()

    def _adopt(
        self,
        engine: _engine.Client,
        reporter: Reporter,
        user_token_getter: UserTokenGetter | None,
        parent: Client | None,
    ) -> None:
        self._engine = engine
        self._reporter = reporter
        self._user_token_getter = user_token_getter
        # A constrained sibling works as long as anybody has it, whether or not its parent is still held.
        self._parent = parent

    async def request(
        self,
        method: HttpMethod | str,
        url: str,
        *,
        grant_id: str | UUID | None = None,
        provider: Provider | str | None = None,
        account: str | None = None,
        label: str | None = None,
        json: JSON = None,
        extra_headers: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        query_params: QueryParams | None = None,
        path_params: Mapping[str, str] | None = None,
        reason: str | None = None,
        context: Mapping[str, str] | None = None,
        body: bytes | str | Mapping[str, Any] | None = None,
        caller: str | None = None,
        user_token: str | None = None,
        app_user_id: str | None = None,
    ) -> httpx.Response:
        """Calls a provider with a credential that this program never sees.

        The vault hands the credential of a grant to the engine, which puts it into the request, sends it, and gives
        back the answer. Redirects are not followed: a 3xx is an answer.

            response = await app.request("GET", "https://api.example.com/v1/{id}", path_params={"id": "7"},
                                         grant_id="8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f")
            print(response.status_code, response.json())

        Args:
            method: `HttpMethod` or text, in any case.
            url: The provider's URL; `{name}` parts are filled from `path_params`. `https`, or `http` to this machine.
            grant_id: The grant to use. Either this or `provider`.
            provider: The provider whose grant to use; which one follows from the user's token, `account` and `label`.
            account: Picks one of a user's accounts at the provider.
            label: Picks one of several grants of an account.
            json: Body, sent as JSON.
            extra_headers: More headers. The credential's own header is set by the engine.
            headers: Another name for `extra_headers`.
            query_params: Query parameters; they replace the URL's own query. Lists repeat the name.
            path_params: Values for the `{name}` parts, percent-encoded.
            reason: Why, in words, for the audit log and the user.
            context: Text-to-text metadata for the audit log: at most 20 keys and 4096 characters of JSON.
            body: Any other body: bytes, text (UTF-8), or a map, which is sent as a form. Not together with `json`.
            caller: Replaces the client's `caller` for this call.
            user_token: The end user's JWT for this call; otherwise `user_token_getter` is asked.
            app_user_id: Picks the grant of one of the application's users. Needs `provider`.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            AlterSDKError: `grant_id` and `provider` are both given or both missing, or the client is closed.
            BackendError: The vault refused; its subclasses say why.
            ProviderAPIError: The provider answered with a status of 400 or above.
            NetworkError: No answer; `TimeoutError` if it took too long.
        """
        prepared = self._prepare(
            method, url, grant_id=grant_id, provider=provider, account=account, label=label, json=json,
            extra_headers=extra_headers, headers=headers, query_params=query_params, path_params=path_params,
            reason=reason, context=context, body=body, caller=caller, user_token=user_token, app_user_id=app_user_id,
        )  # fmt: skip
        if self._user_token_getter is not None and prepared.wants_user_token:
            await self._ask_for_user_token(prepared, self._user_token_getter)
        raw = await _bridge.run(prepared.send)
        self._warn(stacklevel=2)
        from alter_sdk._response import make_response

        return make_response(raw)

    def _prepare(
        self,
        method: object,
        url: object,
        *,
        grant_id: object = None,
        provider: object = None,
        account: object = None,
        label: object = None,
        json: object = None,
        extra_headers: object = None,
        headers: object = None,
        query_params: object = None,
        path_params: object = None,
        reason: object = None,
        context: object = None,
        body: object = None,
        caller: object = None,
        user_token: object = None,
        app_user_id: object = None,
    ) -> _engine.PreparedRequest:
        """Every check of `request` that needs no network, in the engine."""
        try:
            return self._engine.prepare(
                method, url, grant_id, provider, account, label, json, extra_headers, headers, query_params,
                path_params, reason, context, body, caller, user_token, app_user_id, traceparent(),
                _trace.surroundings(),
            )  # fmt: skip
        finally:
            self._warn(stacklevel=3)

    def _check_open(self) -> None:
        if self._engine.is_closed:
            raise AlterSDKError("This client is closed. Make a new one; a closed client does not open again.")

    async def _operate(self, name: str, arguments: dict[str, Any], *, depth: int = 1) -> Any:
        """Runs one of the engine's operations to its end: asks for the user's token, and shows a person an address.

        `depth` is how many functions lie between this one and the program's own line, for warnings.
        """
        listener = arguments.get("on_event")
        number = _operations.listen(listener, self._reporter) if callable(listener) else None
        try:
            try:
                operation = self._engine.operation(name, arguments, traceparent(), _trace.surroundings(), number)
            finally:
                self._warn(stacklevel=depth + 2)
            while True:
                step = await self._send(operation)
                self._warn(stacklevel=depth + 2)
                if isinstance(step, _engine.PreparedOperation):
                    operation = step
                elif isinstance(step, _engine.Visit):
                    return await self._wait_for_visit(step)
                else:
                    return step
        finally:
            _operations.forget(number)

    async def _send(self, operation: _engine.PreparedOperation) -> Any:
        if self._user_token_getter is not None and operation.wants_user_token:
            await self._ask_for_user_token(operation, self._user_token_getter)
        return await _bridge.run(operation.send)

    async def _wait_for_visit(self, visit: _engine.Visit) -> Any:
        try:
            await _visit.show(visit.url, open_browser=visit.open_browser)
            with _visit.waiting():
                return await self._send(visit.then)
        except BaseException:
            # Before the program closes the client: the vault shall know that nobody waits any more.
            visit.then.abandon()
            raise

    async def _ask_for_user_token(
        self, prepared: _engine.PreparedRequest | _engine.PreparedOperation, getter: UserTokenGetter
    ) -> None:
        token: object = None
        failed = False
        try:
            token = getter()
            if inspect.isawaitable(token):
                token = await cast("Awaitable[object]", token)
        except Exception:
            # Its text or its variables may hold the token, so neither it nor its traceback goes any further.
            failed = True
        if failed:
            raise prepared.user_token_failed()
        prepared.set_user_token(token)

    def with_constraints(
        self, *, scopes: list[str] | None = None, rule: RequestRule | dict[str, Any] | None = None
    ) -> Self:
        """A sibling of this client whose every request the vault judges more narrowly.

        It shares this client's connections and is closed with it. Closing the sibling closes nothing else.

        Args:
            scopes: The only scopes of the key that count, for example `["tokens:retrieve"]`.
            rule: A rule that can deny requests: `{"rule_type": ..., "rule_body": {...}}`.

        Raises:
            AlterValueError: Neither is given, one is malformed, or this client is constrained already.
            AlterSDKError: This client is closed.
        """
        engine = self._engine.with_constraints(scopes, rule)
        sibling = type(self).__new__(type(self))
        sibling._adopt(engine, self._reporter, self._user_token_getter, self)
        return sibling

    def boto3_client(
        self,
        service_name: str | UUID | None = None,
        *positional: str | None,
        grant_id: str | UUID | None = None,
        region_name: str | None = None,
        timeout: float | None = None,
        reason: str | None = None,
        context: Mapping[str, str] | None = None,
        service: str | None = None,
        region: str | None = None,
    ) -> BotoClient:
        """A boto3 client whose requests are signed with an AWS grant of the vault.

        The AWS keys reach neither boto3 nor this program's environment. The result is the client, and can be awaited to
        get it, so both spellings work:

            s3 = await app.boto3_client("s3", grant_id=GRANT, region_name="eu-central-1")
            s3 = app.boto3_client(GRANT, "s3", "eu-central-1")

        Its methods may be called on any thread, the event loop's included; they block that thread. With an asynchronous
        `user_token_getter`, call them through `asyncio.to_thread`.

        Args:
            service_name: The AWS service (also `service`), or the grant if a second argument names the service.
            *positional: The service, then the region, when the first argument is the grant.
            grant_id: The AWS grant.
            region_name: The AWS region (also `region`); `us-east-1` if it is not given.
            timeout: Seconds that one call may take.
            reason: As for `request`.
            context: As for `request`.

        Raises:
            AlterSDKError: boto3 is not installed (`pip install "alter-sdk[aws]"`), or the client is closed.
            AlterValueError: An argument is missing or given twice.
        """
        from alter_sdk import _boto3

        choice = _boto3.read_arguments(service_name, positional, grant_id, region_name, service, region)
        return _boto3.make_client(self, choice, timeout=timeout, reason=reason, context=context)

    async def close(self) -> None:
        """Closes the client after its audit reports have been sent. Calling it again does nothing."""
        await _bridge.run(self._engine.close)
        self._write_lines()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def base_url(self) -> str:
        """The vault's address."""
        return self._engine.base_url

    @property
    def actor_id(self) -> str | None:
        """The id that the vault gave this client's caller; `None` before the first answer that told it."""
        return self._engine.actor_id

    @property
    def last_retry_info(self) -> RetryInfo | None:
        """What the vault went through to get the credential of the last call. Concurrent calls share it; each response
        has its own.
        """
        text = self._engine.last_retry_info
        if text is None:
            return None
        from alter_sdk.models import RetryInfo

        return RetryInfo.model_validate_json(text)

    @property
    def last_rate_limit(self) -> RateLimitSnapshot | None:
        """The key's rate limit as the vault last told it; `None` if it never did."""
        told = self._engine.last_rate_limit
        if told is None:
            return None
        from alter_sdk.models import RateLimitSnapshot

        limit, remaining, reset_at = told
        reset = datetime.fromtimestamp(reset_at, timezone.utc)
        return RateLimitSnapshot(limit=limit, remaining=remaining, reset_at=reset)

    def _warn(self, stacklevel: int) -> None:
        if self._engine.has_notices:
            for deprecated, notice in self._engine.take_notices():
                if deprecated:
                    self._reporter.warn(notice, stacklevel + 1, DeprecationWarning)
                else:
                    self._reporter.warn(f"alter_sdk: {notice}", stacklevel + 1)

    def _write_lines(self) -> None:
        for level, message in self._engine.take_lines():
            self._reporter.log(level, message)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled or copied: it holds an API key and connections")

    def __del__(self) -> None:
        # The constructor may have failed before there was anything to close.
        engine = getattr(self, "_engine", None)
        if engine is None or engine.is_closed or self._parent is not None:
            return
        warnings.warn(
            f"unclosed {type(self).__name__}: call `await client.close()`, or use `async with`",
            ResourceWarning,
            stacklevel=2,
            source=self,
        )
