"""boto3 clients whose requests go through the vault."""

from __future__ import annotations

import asyncio
import inspect
import io
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from alter_sdk.exceptions import AlterSDKError, AlterValueError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping

    from alter_sdk import _engine
    from alter_sdk._client import Client

    # boto3 makes its clients' classes at run time, and can be awaited once it is one of ours.
    BotoClient = Any

_DEFAULT_REGION = "us-east-1"

# boto3 wants keys before it sends anything. These reach no one: requests leave it unsigned, and the engine signs them.
_PLACEHOLDER = "alter-vault-managed"

# Seconds that a call may take beyond its own timeout, and in all if there is none.
_GRACE = 5.0
_WITHOUT_TIMEOUT = 100.0

# What botocore adds for its own bookkeeping or for its own HTTP client, and what the signature brings anew.
_NOT_PASSED_ON = frozenset(
    {
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "authorization",
        "expect",
        "user-agent",
        "x-amz-date",
        "x-amz-content-sha256",
        "x-amz-security-token",
    }
)


class Choice(NamedTuple):
    """What `boto3_client` was asked for."""

    service: str
    grant_id: str | uuid.UUID
    region: str


def read_arguments(
    first: str | uuid.UUID | None,
    positional: tuple[str | None, ...],
    grant_id: str | uuid.UUID | None,
    region_name: str | None,
    service: str | None,
    region: str | None,
) -> Choice:
    """Sorts out the two orders of arguments and the two names of some.

    Raises:
        AlterValueError: Something is missing, given twice, or not text.
    """
    if positional and not _is_uuid(first):
        raise AlterValueError(
            "boto3_client() takes the service alone, or the grant's id (a UUID) followed by the service."
        )
    if len(positional) > 2:
        raise AlterValueError("boto3_client() takes at most a grant, a service and a region by position.")
    if _is_uuid(first):
        grant_id, first = _only("grant_id", grant_id, first), None
    named = _only("service", *positional[:1], service, first)
    chosen_region = _only("region", *positional[1:], region_name, region)
    if grant_id is None:
        raise AlterValueError("boto3_client() needs grant_id: the AWS grant to sign with.")
    if not isinstance(named, str) or not named:
        raise AlterValueError('boto3_client() needs the service: for example "s3".')
    if chosen_region is not None and (not isinstance(chosen_region, str) or not chosen_region):
        raise AlterValueError('region_name must be text: for example "eu-central-1".')
    return Choice(named, grant_id, chosen_region or _DEFAULT_REGION)


def _is_uuid(value: object) -> bool:
    if isinstance(value, uuid.UUID):
        return True
    if not isinstance(value, str):
        return False
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    return True


def _only(name: str, *values: Any) -> Any:
    given = [value for value in values if value is not None]
    if len(given) > 1:
        raise AlterValueError(f"boto3_client() was given {name} more than once.")
    return given[0] if given else None


def make_client(
    owner: Client,
    choice: Choice,
    *,
    timeout: float | None,
    reason: str | None,
    context: Mapping[str, str] | None,
) -> BotoClient:
    """A boto3 client of the chosen service that sends through `owner`.

    Raises:
        AlterSDKError: boto3 is not installed, or `owner` is closed.
    """
    try:
        import boto3  # pyright: ignore
        from botocore import UNSIGNED  # pyright: ignore
        from botocore.config import Config  # pyright: ignore
    except ImportError as missing:
        raise AlterSDKError('boto3 is not installed. Install it with: pip install "alter-sdk[aws]"') from missing
    owner._check_open()  # pyright: ignore[reportPrivateUsage]
    session: Any = boto3.Session(
        aws_access_key_id=_PLACEHOLDER, aws_secret_access_key=_PLACEHOLDER, region_name=choice.region
    )
    config: Any = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    client: Any = session.client(choice.service, config=config)
    client.meta.events.register("before-send", _Sender(owner, choice.grant_id, timeout, reason, context))
    plain = cast("type[Any]", type(client))
    client.__class__ = type(plain.__name__, (plain,), {"__module__": plain.__module__, "__await__": _await})
    return client


def _await(client: Any) -> Generator[None, None, Any]:
    """Makes a client something that can be awaited to get it."""
    return client
    yield


class _Sender:
    """Answers botocore's requests in place of its HTTP client."""

    def __init__(
        self,
        owner: Client,
        grant_id: str | uuid.UUID,
        timeout: float | None,
        reason: str | None,
        context: Mapping[str, str] | None,
    ) -> None:
        self._owner = owner  # as long as the boto3 client lives, so does ours
        self._grant_id = grant_id
        self._timeout = timeout
        self._reason = reason
        self._context = context
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def __call__(self, request: Any, **_: Any) -> Any:
        headers = {name: _text(value) for name, value in request.headers.items() if name.lower() not in _NOT_PASSED_ON}
        prepared = self._owner._prepare(  # pyright: ignore[reportPrivateUsage]
            request.method,
            request.url,
            grant_id=self._grant_id,
            extra_headers=headers,
            reason=self._reason,
            context={} if self._context is None else self._context,
            body=_body(request.body),
        )
        getter = self._owner._user_token_getter  # pyright: ignore[reportPrivateUsage]
        limit = self._limit()
        if getter is not None and prepared.wants_user_token:
            self._ask_for_user_token(prepared, getter, limit)
        return _answer(request.url, prepared.send_blocking(limit))

    def _limit(self) -> float:
        timeout = self._timeout
        if timeout is None:
            timeout = self._owner._engine.timeout  # pyright: ignore[reportPrivateUsage]
        return _WITHOUT_TIMEOUT if timeout is None else timeout + _GRACE

    def _ask_for_user_token(
        self, prepared: _engine.PreparedRequest, getter: Callable[[], str | Awaitable[str]], limit: float
    ) -> None:
        token: object = None
        failed = False
        try:
            token = getter()
        except Exception:
            failed = True  # its text or its variables may hold the token
        if not failed and inspect.isawaitable(token):
            token, failed = self._await_elsewhere(token, limit)
        if failed:
            raise prepared.user_token_failed()
        prepared.set_user_token(token)

    def _await_elsewhere(self, token: Awaitable[Any], limit: float) -> tuple[object, bool]:
        """The outcome of an asynchronous getter: the token, and whether it failed."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            if inspect.iscoroutine(token):
                token.close()
            raise AlterSDKError(
                "user_token_getter is asynchronous, and this call blocks the event loop that would have to run it. "
                "Call boto3 in another thread: await asyncio.to_thread(client.method, ...)."
            )

        async def wait() -> object:
            return await token

        try:
            if self._loop is not None and self._loop.is_running():
                return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(limit), False
            return asyncio.run(wait()), False
        except Exception:
            return None, True


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _body(body: Any) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, (bytearray, memoryview)):
        return bytes(cast("bytearray", body))
    if isinstance(body, str):
        return body.encode()
    read = getattr(body, "read", None)
    if read is None:
        raise AlterValueError(f"boto3 gave a body of a type that cannot be sent: {type(body).__name__}.")
    content = read()
    return content.encode() if isinstance(content, str) else bytes(content)


class _Body(io.BytesIO):
    """A body as botocore reads it: whole, in parts, or as a stream."""

    def stream(self, amt: int = 1 << 16, decode_content: bool | None = None) -> Iterator[bytes]:
        del decode_content  # the engine has decoded it
        while chunk := self.read(amt):
            yield chunk


def _answer(url: str, raw: _engine.RawResponse) -> Any:
    from botocore.awsrequest import AWSResponse  # pyright: ignore

    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw.headers}
    body = raw.body
    if body and headers.pop("content-encoding", None) is not None:
        headers["content-length"] = str(len(body))  # of what is there now
    return AWSResponse(url, raw.status_code, headers, _Body(body))
