"""A real vault on loopback, and apps in it that have one of everything."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from signing import Operator, Signature

ALTER = Path(os.environ.get("ALTER_BIN", Path(__file__).parents[2] / "target/debug/alter"))
SCOPES = [
    "agents:admin",
    "agents:write",
    "connect:initiate",
    "grants:write",
    "idp_users:read",
    "idp_users:write",
    "keys:admin",
    "keys:derive",
    "providers:read",
    "proxy:execute",
    "secrets:write",
    "spans:emit",
    "tokens:retrieve",
]
# An API that a description is loaded of.
DESCRIPTION = {
    "openapi": "3.0.0",
    "info": {"title": "Mail", "version": "1"},
    "paths": {"/send": {"post": {"operationId": "send", "responses": {"200": {"description": "sent"}}}}},
}


@dataclass
class App:
    """Names and ids of what an app has, by the parameter that takes them."""

    names: dict[str, str]
    key: Signature
    agent_key: Signature


class Vault:
    """`alter serve` on a free port, until it is stopped."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="alter-openapi-")
        self._log = Path(self._folder.name, "log")
        environment = os.environ | {"ALTER_RATE_LIMIT_RPM": "1000000", "NO_COLOR": "1"}
        command = [ALTER, "serve", "--json", "--data-dir", f"{self._folder.name}/data", "--address", "127.0.0.1:0"]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the vault does not start: {self.log()}"
        ready = json.loads(line)
        self.url: str = ready["url"]
        self._session = requests.Session()
        self.operator = Operator(Path(ready["operator_key_file"]).read_text().strip())
        self._apps = 0

    def log(self) -> str:
        """What the vault has logged."""
        return self._log.read_text()

    def stop(self) -> None:
        """Stops the vault as an operator does, and says how it ended."""
        self._process.terminate()
        code = self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        log = self.log()
        self._folder.cleanup()
        assert code == 0, log

    def document(self) -> dict[str, Any]:
        """The OpenAPI document, as anybody gets it."""
        return self._session.get(f"{self.url}/openapi.json", timeout=30).json()

    def made(self, path: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
        """Makes something on the admin plane."""
        answer = self._session.request(method, f"{self.url}/admin/v1{path}", json=body, auth=self.operator, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def app(self) -> App:
        """An app with one of everything."""
        self._apps += 1
        name = f"app-{self._apps}"
        app = self.made("/apps", {"name": name})
        inside = f"/apps/{name}"
        key = self.made(f"{inside}/keys", {"name": "all", "scopes": SCOPES})
        other = self.made(f"{inside}/keys", {"name": "other"})
        operator = self.made("/operators", {"name": name, "role": "auditor"})
        agent = self.made(f"{inside}/agents", {"name": "planner"})
        agent_key = self.made(f"{inside}/keys", {"agent": "planner"})
        secret = {"kind": "bearer", "allowed_hosts": ["127.0.0.1"], "values": {"token": "made-up"}}
        secret = self.made(f"{inside}/secrets", {"slug": "mail"} | secret)
        grant = self.made(f"{inside}/grants", {"secret": "mail"})
        self.made(f"{inside}/specs/mail?kind=managed", {"document": DESCRIPTION}, "PUT")
        self.made(f"{inside}/providers/github", {"client_id": "client", "client_secret": "made-up"}, "PUT")
        names = {
            "app": name,
            "app_id": app["id"],
            "key": other["id"],
            "key_id": other["id"],
            "agent": "planner",
            "agent_id": agent["agent_id"],
            "to_agent_id": agent["agent_id"],
            "agent_key_id": agent_key["id"],
            "secret": "mail",
            "secret_id": secret["id"],
            "grant": grant["grant_id"],
            "grant_id": grant["grant_id"],
            "kind": "managed",
            "provider_id": "mail",
            "operation_id": "send",
            "provider": "github",
            "operator": operator["name"],
        }
        return App(names, Signature(key["api_key"]), Signature(agent_key["api_key"]))
