"""The metrics, read by the parser of the Prometheus project."""

import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from vault import Vault


def scrape(vault: Vault) -> dict[str, list[Sample]]:
    answer = requests.get(f"{vault.url}/metrics", auth=vault.operator, timeout=30)
    answer.raise_for_status()
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    return {family.name: family.samples for family in text_string_to_metric_families(answer.text)}


def value(samples: list[Sample], **labels: str) -> float:
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def test_a_parser_reads_what_was_done(vault: Vault) -> None:
    before = scrape(vault)
    vault.app()
    after = scrape(vault)
    done = {"action": "app.create", "outcome": "done", "code": ""}
    assert value(after["alter_audit_rows"], **done) == value(before["alter_audit_rows"], **done) + 1
    counts = [sample for sample in after["alter_http_request_duration_seconds"] if sample.name.endswith("_count")]
    assert value(counts, route="/admin/v1/apps") >= 1
    (build,) = after["alter_build"]
    assert build.labels["version"] == vault.document()["info"]["version"]
