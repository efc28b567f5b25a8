"""Acceptance rows of the seed documents: `boto3_client()`."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from alter_sdk import AlterVault, App
from matrix import reports, run_example
from scripted import APP_KEY, GRANT, SECRET, TOKEN, Scripted

pytest.importorskip("boto3", reason="boto3 is an extra of the package")

AWS_SECRET = "aws-secret-canary-11"
AWS = {
    **TOKEN,
    "injection_format": "AWS4-HMAC-SHA256",
    "additional_credentials": {"secret_key": AWS_SECRET, "region": "us-west-2", "service": "s3"},
}
LISTING = b"<ListBucketResult><Contents><Key>a.txt</Key><Size>3</Size></Contents></ListBucketResult>"


@pytest.fixture(autouse=True)
def aws(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    server.answer("/sdk/token", AWS)
    server.answer("/my-bucket", raw=LISTING, headers={"content-type": "application/xml"})


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="my-bucket")["Contents"]]


SPELLINGS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("s3",), {"grant_id": GRANT, "region_name": "us-west-2"}),
    (("s3",), {"grant_id": GRANT, "region": "us-west-2"}),
    ((GRANT, "s3", "us-west-2"), {}),
    ((GRANT,), {"service": "s3", "region": "us-west-2"}),
    ((), {"service_name": "s3", "grant_id": GRANT, "region_name": "us-west-2"}),
]


@pytest.mark.parametrize(("args", "kwargs"), SPELLINGS, ids=str)
def test_m092_m093_both_orders_and_both_styles(args: Any, kwargs: Any, server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY) as app:
            for s3 in (app.boto3_client(*args, **kwargs), await app.boto3_client(*args, **kwargs)):
                assert (s3.meta.service_model.service_name, s3.meta.region_name) == ("s3", "us-west-2")
                assert keys(s3) == ["a.txt"]

    asyncio.run(main())
    assert [seen.json()["grant_id"] for seen in server.requests("/sdk/token")] == [GRANT, GRANT]


def test_m092_reason_and_context_go_to_the_audit(server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY) as app:
            keys(app.boto3_client("s3", grant_id=GRANT, timeout=9.0, reason="backup", context={"tool": "s3"}))

    asyncio.run(main())
    assert [(report["reason"], report["context"]) for report in reports(server)] == [("backup", {"tool": "s3"})]


def test_m095_the_example_calls_directly_in_the_coroutine(server: Scripted) -> None:
    example = """
s3 = await vault.boto3_client("s3", grant_id=AWS_GRANT_ID, region_name="us-west-2")
result = s3.list_objects_v2(Bucket="my-bucket")
await vault.close()
"""
    names = run_example(example, server, vault=AlterVault(APP_KEY), AWS_GRANT_ID=GRANT)
    assert [entry["Key"] for entry in names["result"]["Contents"]] == ["a.txt"]


def test_m096_the_keys_are_never_in_the_environment(server: Scripted) -> None:
    during: list[str] = []

    async def main() -> None:
        async with App(APP_KEY) as app:
            s3 = app.boto3_client("s3", grant_id=GRANT)
            s3.meta.events.register("before-send", lambda **_: during.append(str(dict(os.environ))))
            keys(s3)
            during.append(str(dict(os.environ)))

    before = dict(os.environ)
    asyncio.run(main())
    assert dict(os.environ) == before
    assert len(during) >= 1
    assert not any(canary in text for canary in (SECRET, AWS_SECRET) for text in during)


def test_m097_the_grant_signs(server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY) as app:
            keys(app.boto3_client("s3", grant_id=GRANT))

    asyncio.run(main())
    (seen,) = server.requests("/my-bucket")
    assert (seen.header("authorization") or "").startswith(f"AWS4-HMAC-SHA256 Credential={SECRET}/")
    assert server.requests("/sdk/token")[0].json()["grant_id"] == GRANT
