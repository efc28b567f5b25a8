"""Starts one vault and asks it for its operations, which are the tests."""

import pytest
import schemathesis
from vault import Vault

_VAULT: list[Vault] = []


def the_vault() -> Vault:
    """The vault of this run; it is started when the tests are collected, since it says which there are."""
    if not _VAULT:
        _VAULT.append(Vault())
    return _VAULT[0]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "operation" in metafunc.fixturenames:
        schema = schemathesis.openapi.from_dict(the_vault().document())
        schema.config.update(base_url=the_vault().url)
        operations = [found.ok() for found in schema.get_all_operations()]
        metafunc.parametrize("operation", operations, ids=[operation.label for operation in operations])


@pytest.fixture(scope="session")
def vault() -> Vault:
    return the_vault()


def pytest_unconfigure() -> None:
    while _VAULT:
        _VAULT.pop().stop()
