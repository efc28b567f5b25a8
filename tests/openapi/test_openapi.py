"""Requests that schemathesis invents from the document.

No answer is a fault of the vault, and none is other than the document says. Each operation is tried with bodies and
parameters as the document describes them, and with ones that it does not allow; by the key of the application, of an
agent, and without one. What is invented is the same in each run.
"""

from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies
from requests.auth import AuthBase
from schemathesis import APIOperation, Case, CheckContext, GenerationMode, Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from vault import App, Vault

EXAMPLES = 7
# Calls that fail elsewhere. A fault of the vault's own (500) or of its store (503) is none that a request may cause.
ELSEWHERE = {501, 502, 504}


def no_fault_of_the_vault(_: CheckContext, response: Response, case: Case) -> None:
    """Anything over 499 is a fault, but for what the document says of others' faults."""
    if response.status_code >= 500 and response.status_code not in ELSEWHERE:
        raise AssertionError(f"{case.method} {case.path}: {response.status_code} {response.text}")


CHECKS = [no_fault_of_the_vault, status_code_conformance, content_type_conformance, response_schema_conformance]


def furnish(case: Case, app: App, chance: Random) -> None:
    """Puts ids of what there is into a request, mostly: an invented id is only ever refused."""
    names = app.names
    if "/sdk/agents/{agent_id}/keys/" in case.path:
        names = names | {"key_id": names["agent_key_id"]}
    if case.path.endswith("/specs/{provider}"):
        names = names | {"provider": names["provider_id"]}
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, dict):
            for name in sorted(part.keys() & names.keys()):
                if chance.random() < 0.8:
                    part[name] = names[name]
            # A poll is not held.
            part.update({name: 0 for name in ("wait", "wait_ms") if name in part})


def attempt(operation: APIOperation, vault: Vault, mode: GenerationMode) -> None:
    app = vault.app()
    signed = operation.path.startswith("/sdk/")
    callers = (
        [app.key, app.key, app.key, app.agent_key, None]
        if signed
        else [vault.operator, vault.operator, vault.operator, None]
    )

    @seed(6)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        caller=strategies.sampled_from(callers),
        chance=strategies.randoms(use_true_random=False),
    )
    def run(case: Case, caller: AuthBase | None, chance: Random) -> None:
        furnish(case, app, chance)
        response = case.call(auth=caller, timeout=60)
        case.validate_response(response, checks=CHECKS)

    run()


def test_requests_as_described(operation: APIOperation, vault: Vault) -> None:
    attempt(operation, vault, GenerationMode.POSITIVE)


def test_requests_as_not_described(operation: APIOperation, vault: Vault) -> None:
    if not (operation.body or operation.query or operation.path_parameters):
        pytest.skip("there is nothing to get wrong")
    attempt(operation, vault, GenerationMode.NEGATIVE)


def test_the_log_has_no_fault(vault: Vault) -> None:
    """Runs last: what the vault took for its own faults stands in its log."""
    faults = [line for line in vault.log().splitlines() if " ERROR " in line and "error=" in line]
    assert not faults, faults[:20]
