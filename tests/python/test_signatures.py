"""AWS signatures of real calls, computed again by botocore: the engine's, and those of a vault that makes the call."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from alter_sdk import App

auth = pytest.importorskip("botocore.auth", reason="boto3 is an extra of the package")
awsrequest = pytest.importorskip("botocore.awsrequest", reason="boto3 is an extra of the package")
credentials = pytest.importorskip("botocore.credentials", reason="boto3 is an extra of the package")

ALTER = Path(__file__).resolve().parents[2] / "target/debug/alter"
KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
PATIENCE_S = 60
CALLS: list[tuple[str, str, str, Any]] = [
    ("s3", "GET", "/bucket/a%20b/c+d?list-type=2&prefix=%C3%BC&empty", None),
    ("s3", "PUT", "/bucket/~key", {"text": "ü", "n": 1.5}),
    ("execute-api", "POST", "/prod/items?b=2&a=1&a=0", {"name": "x"}),
    ("execute-api", "GET", "/prod/a%20b", None),
]


class _Provider(ThreadingHTTPServer):
    """Keeps what it receives."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Provider

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.command, self.path, headers, body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_PUT = do_POST = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are looked at by the tests."""


@pytest.fixture(scope="module")
def provider() -> Iterator[_Provider]:
    server = _Provider()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class _Vault:
    """A real `alter serve` with a secret for each service, and a key."""

    def __init__(self, folder: Path, host: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url, self.folder = f"http://{address}", folder
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("ALTER_")}
        self.env |= {"ALTER_EGRESS_ALLOW": host, "NO_PROXY": "*", "no_proxy": "*"}
        serve = [ALTER, "serve", "--data-dir", folder, "--address", address]
        self.process = subprocess.Popen(serve, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait()
        self.alter("app", "create", "demo")
        self.key = self.alter("key", "create", "--scope", "tokens:retrieve", "--scope", "proxy:execute")["api_key"]
        self.grants: dict[str, str] = {}
        for service in ("s3", "execute-api"):
            where = ["--aws", "--region", "eu-west-1", "--service", service, "--allow-host", host]
            self.alter("secret", "create", service, *where, "--access-key-id", KEY_ID, "--stdin", given=SECRET)
            self.grants[service] = self.alter("grant", "create", "--secret", service)["grant_id"]

    def _wait(self) -> None:
        limit = time.monotonic() + PATIENCE_S
        while True:
            try:
                with urlopen(f"{self.url}/readyz") as answer:
                    assert answer.status == 200
                    return
            except OSError:
                assert time.monotonic() < limit, "the vault does not start"
                assert self.process.poll() is None, "the vault has ended"
                time.sleep(0.05)

    def alter(self, *line: str, given: str = "") -> Any:
        command = [ALTER, *line, "--json", "--no-input", "--data-dir", self.folder, "--vault", self.url]
        ran = subprocess.run(command, env=self.env, input=given, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout.splitlines()[0])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory, provider: _Provider) -> Iterator[_Vault]:
    assert ALTER.exists(), f"{ALTER} is not built"
    running = _Vault(tmp_path_factory.mktemp("vault") / "data", f"127.0.0.1:{provider.server_port}")
    yield running
    running.stop()


def signature_by_botocore(service: str, seen: tuple[str, str, dict[str, str], bytes], origin: str) -> str:
    """The signature of a request, from what stands in it and the secret."""
    method, path, headers, body = seen
    scope = re.search(r"SignedHeaders=([^,]+)", headers["authorization"])
    assert scope is not None
    request = awsrequest.AWSRequest(method=method, url=origin + path, data=body or None)
    for name in scope[1].split(";"):
        request.headers[name] = headers[name]
    request.context["timestamp"] = headers["x-amz-date"]
    request.context["payload_signing_enabled"] = True
    signer_class = auth.S3SigV4Auth if service == "s3" else auth.SigV4Auth
    signer = signer_class(credentials.Credentials(KEY_ID, SECRET), service, "eu-west-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))


@pytest.mark.parametrize("mode", ["request", "proxy_request"])
@pytest.mark.parametrize(("service", "method", "path", "json_body"), CALLS)
def test_botocore_signs_the_same(
    mode: str,
    service: str,
    method: str,
    path: str,
    json_body: Any,
    vault: _Vault,
    provider: _Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALTER_BASE_URL", vault.url)
    origin = f"http://127.0.0.1:{provider.server_port}"

    async def main() -> None:
        async with App(vault.key) as app:
            call = app.request if mode == "request" else app.proxy_request
            await call(method, origin + path, grant_id=vault.grants[service], json=json_body)

    before = len(provider.seen)
    asyncio.run(main())
    (seen,) = provider.seen[before:]
    assert f"Credential={KEY_ID}/" in seen[2]["authorization"]
    assert seen[2]["authorization"].endswith(f"Signature={signature_by_botocore(service, seen, origin)}")
