"""boto3 clients: signed by the vault's credential, usable on any thread."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from typing import Any

import pytest

from alter_sdk import AlterSDKError, AlterValueError, App
from alter_sdk.exceptions import PolicyViolationError
from scripted import APP_KEY, GRANT, SECRET, TOKEN, Scripted
from test_canary import texts_within

boto3 = pytest.importorskip("boto3")

AWS_SECRET = "aws-secret-canary-11"
AWS = {
    **TOKEN,
    "injection_format": "AWS4-HMAC-SHA256",
    "additional_credentials": {"secret_key": AWS_SECRET, "region": "eu-central-1", "service": "s3"},
}
LISTING = b"<ListBucketResult><Contents><Key>a.txt</Key><Size>3</Size></Contents></ListBucketResult>"
XML = {"content-type": "application/xml"}


@pytest.fixture(autouse=True)
def aws(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server.answer("/sdk/token", AWS)
    server.answer("/bucket", raw=b"abc", headers=XML)
    server.answer("/bucket?", raw=LISTING, headers=XML)


def with_app(work: Any, **options: Any) -> Any:
    async def main() -> Any:
        async with App(APP_KEY, **options) as app:
            return await work(app)

    return asyncio.run(main())


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="bucket")["Contents"]]


def test_a_call_on_the_loops_own_thread(server: Scripted) -> None:
    async def work(app: App) -> None:
        s3 = await app.boto3_client("s3", grant_id=GRANT, region_name="eu-west-1")
        assert keys(s3) == ["a.txt"]
        assert s3.meta.region_name == "eu-west-1"
        assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"abc"

    with_app(work)
    for seen in server.requests("/bucket"):
        signature = seen.header("authorization") or ""
        assert signature.startswith(f"AWS4-HMAC-SHA256 Credential={SECRET}/")
        assert "/eu-central-1/s3/aws4_request" in signature
        assert (seen.header("user-agent") or "").startswith("alter-sdk-python/")
    assert "amz-sdk-invocation-id" not in {
        name.lower() for seen in server.requests("/bucket") for name, _ in seen.headers
    }


def test_a_call_on_another_thread_and_after_the_loop(server: Scripted) -> None:
    app = App(APP_KEY)

    async def make() -> Any:
        s3 = app.boto3_client("s3", grant_id=GRANT)
        assert await asyncio.to_thread(keys, s3) == ["a.txt"]
        return s3

    s3 = asyncio.run(make())
    assert keys(s3) == ["a.txt"]
    asyncio.run(app.close())
    with pytest.raises(AlterSDKError, match="closed"):
        keys(s3)


SPELLINGS: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    (("s3",), {"grant_id": GRANT}, "us-east-1"),
    (("s3",), {"grant_id": uuid.UUID(GRANT), "region": "eu-west-1"}, "eu-west-1"),
    ((GRANT, "s3"), {}, "us-east-1"),
    ((GRANT, "s3", "eu-west-1"), {}, "eu-west-1"),
    ((uuid.UUID(GRANT), "s3"), {"region_name": "eu-west-1"}, "eu-west-1"),
    ((GRANT,), {"service": "s3"}, "us-east-1"),
    ((), {"grant_id": GRANT, "service": "s3"}, "us-east-1"),
    ((), {"grant_id": GRANT, "service_name": "s3"}, "us-east-1"),
]


@pytest.mark.parametrize(("args", "kwargs", "region"), SPELLINGS, ids=str)
def test_every_spelling(args: Any, kwargs: Any, region: str, server: Scripted) -> None:
    async def work(app: App) -> None:
        plain = app.boto3_client(*args, **kwargs)
        awaited = await app.boto3_client(*args, **kwargs)
        assert type(plain).__name__ == type(awaited).__name__ == "S3"
        assert plain.meta.region_name == region
        assert keys(plain) == keys(awaited) == ["a.txt"]

    with_app(work)
    assert {seen.json()["grant_id"] for seen in server.requests("/sdk/token")} == {GRANT}


REFUSED: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("s3",), {}),
    ((), {"grant_id": GRANT}),
    (("s3", "eu-west-1"), {"grant_id": GRANT}),
    ((GRANT, "s3"), {"grant_id": GRANT}),
    ((GRANT, "s3", "eu-west-1", "more"), {}),
    (("s3",), {"grant_id": GRANT, "region": "a", "region_name": "b"}),
    (("s3",), {"grant_id": GRANT, "service": "s3"}),
    (("s3",), {"grant_id": GRANT, "region": 5}),
    ((5,), {"grant_id": GRANT}),
]


@pytest.mark.parametrize(("args", "kwargs"), REFUSED, ids=str)
def test_contradictions_are_refused(args: Any, kwargs: Any) -> None:
    async def work(app: App) -> None:
        with pytest.raises(AlterValueError, match=r"boto3_client|region_name"):
            app.boto3_client(*args, **kwargs)

    with_app(work)


def test_the_providers_errors_are_botocores(server: Scripted) -> None:
    server.answer("/bucket/missing", raw=b"<Error><Code>NoSuchKey</Code></Error>", status=404, headers=XML)

    async def work(app: App) -> None:
        s3 = app.boto3_client("s3", grant_id=GRANT)
        with pytest.raises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket="bucket", Key="missing")

    with_app(work)
    (report,) = server.requests("/sdk/oauth/audit")
    assert report.json()["response_status"] == 404


def test_the_vaults_errors_are_ours(server: Scripted) -> None:
    server.answer("/sdk/token", {"error": "ip_not_allowed"}, status=403)

    async def work(app: App) -> None:
        with pytest.raises(PolicyViolationError):
            keys(app.boto3_client("s3", grant_id=GRANT))

    with_app(work)


def test_bodies_reasons_and_contexts_go_along(server: Scripted) -> None:
    server.answer("/bucket/k", raw=b"")

    async def work(app: App) -> None:
        s3 = app.boto3_client("s3", grant_id=GRANT, reason="nightly", context={"job": "7"})
        for body in (b"hello", "hello", bytearray(b"hello")):
            s3.put_object(Bucket="bucket", Key="k", Body=body)

    with_app(work)
    assert all(b"hello" in seen.body for seen in server.requests("/bucket/k"))
    assert all(seen.json()["reason"] == "nightly" for seen in server.requests("/sdk/token"))
    assert all(seen.header("x-alter-context") == '{"job":"7"}' for seen in server.requests("/sdk/token"))


def test_a_call_that_takes_too_long_is_given_up(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alter_sdk._boto3._GRACE", 0.2)
    server.answer("/bucket", {}, hold=True)

    async def work(app: App) -> None:
        with pytest.raises(AlterSDKError, match="given up"):
            keys(app.boto3_client("s3", grant_id=GRANT, timeout=0))

    with_app(work, timeout=None)
    server.wait_for_closed_while_held(1)


async def asynchronous() -> str:
    return "user-jwt"


def test_token_getters(server: Scripted) -> None:
    async def with_function(app: App) -> None:
        assert keys(app.boto3_client("s3", grant_id=GRANT)) == ["a.txt"]

    with_app(with_function, user_token_getter=lambda: "user-jwt")

    async def with_coroutine(app: App) -> None:
        s3 = app.boto3_client("s3", grant_id=GRANT)
        assert await asyncio.to_thread(keys, s3) == ["a.txt"]
        with pytest.raises(AlterSDKError, match="to_thread"):
            keys(s3)

    with_app(with_coroutine, user_token_getter=asynchronous)

    app = App(APP_KEY, user_token_getter=asynchronous)
    assert keys(app.boto3_client("s3", grant_id=GRANT)) == ["a.txt"]
    asyncio.run(app.close())
    assert [seen.json()["user_token"] for seen in server.requests("/sdk/token")] == ["user-jwt"] * 3


def failing() -> str:
    raise RuntimeError("leak")


@pytest.mark.parametrize("getter", [failing, lambda: ""])
def test_a_failing_getter_sends_nothing(getter: Any, server: Scripted) -> None:
    async def work(app: App) -> None:
        with pytest.raises(AlterSDKError, match="user_token_getter") as caught:
            keys(app.boto3_client("s3", grant_id=GRANT))
        assert "leak" not in str(caught.value)

    with_app(work, user_token_getter=getter)
    assert server.requests() == []


def test_a_closed_client_makes_none(server: Scripted) -> None:
    app = App(APP_KEY)
    asyncio.run(app.close())
    with pytest.raises(AlterSDKError, match="closed"):
        app.boto3_client("s3", grant_id=GRANT)


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)

    async def work(app: App) -> None:
        with pytest.raises(AlterSDKError, match=r"alter-sdk\[aws\]"):
            app.boto3_client("s3", grant_id=GRANT)

    with_app(work)


def test_the_credential_reaches_neither_boto3_nor_the_environment(server: Scripted) -> None:
    async def work(app: App) -> None:
        s3 = app.boto3_client("s3", grant_id=GRANT)
        keys(s3)
        shown = f"{texts_within(s3)} {dict(os.environ)}"
        assert server.url in texts_within(s3), "the search did not get into the client"
        assert SECRET not in shown
        assert AWS_SECRET not in shown

    with_app(work)
