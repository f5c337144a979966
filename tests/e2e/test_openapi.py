"""The OpenAPI document, as schemathesis reads it, against the deployed API, and what the API shows of it.

Whatever fits the document or just does not: no reply is a failure of ours, none is another than it says, and nothing is
taken that it forbids. The seed and the number of calls are fixed.

schemathesis has an environment of its own (see the Makefile), for it allows no release of jsonschema-rs that the broker
runs with. `BROKER_OPENAPI="--phases coverage"` has it try each limit of each field as well, in some three minutes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from broker.contract.openapi import openapi

from local.client import Client
from tests.contract.stack import ROOT
from tests.e2e.stack import Stack

TOOL = Path(sys.prefix) / "schemathesis" / "bin" / "schemathesis"

DOCUMENT = ROOT / "schemas" / "openapi.json"

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "ignored_auth",
)

CONFIGURATION = """
[checks]
negative_data_rejection.expected-statuses = ["4xx"]
"""
"""A body that is too large is refused as such, whatever else is wrong with it."""

MORE = os.environ.get("BROKER_OPENAPI", "--phases examples,fuzzing --max-examples 8").split()

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20261130/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=0"
"""The embedded cloud looks at no more."""


def walked(stack: Stack, folder: Path, authorization: str, *which: str) -> str:
    """What schemathesis says of these operations, which is nothing bad."""
    if not TOOL.exists():
        pytest.skip("schemathesis is not there: `make test` installs it")
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    command = [str(TOOL), "--config-file", str(folder / "schemathesis.toml"), "run", str(DOCUMENT)]
    command += ["--url", stack.base_url, "--header", f"Authorization: {authorization}", "--checks", ",".join(CHECKS)]
    command += ["--seed", "14", "--no-shrink", "--continue-on-failure", "--suppress-health-check", "all"]
    command += ["--workers", "1", "--request-timeout", "40", "--warnings", "off", *MORE, *which]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500)  # noqa: S603 - our own
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-500:]
    return done.stdout


def test_the_document_is_true_of_what_clients_call(stack: Stack, tmp_path: Path) -> None:
    client = stack.as_tenant("documented")
    said = walked(stack, tmp_path, f"Bearer {client.key}", "--exclude-path-regex", "^/admin/")
    assert "No issues found" in said


def test_the_document_is_true_of_what_operators_look_at(stack: Stack, tmp_path: Path) -> None:
    """What they change is the registry of all tests; of that the document is held to the function itself."""
    which = [
        "--include-path-regex",
        "^/admin/",
        *(each for name in ("POST", "PUT") for each in ("--exclude-method", name)),
    ]
    which += ["--exclude-checks", "ignored_auth"]
    assert "No issues found" in walked(stack, tmp_path, SIGNED, *which)


def test_anybody_reads_the_document_and_the_page_and_nothing_else(stack: Stack) -> None:
    nobody = Client(stack.base_url, None)
    shown = nobody.call("GET", "/openapi.json")
    assert (shown.status, shown.body) == (
        200,
        {**json.loads(json.dumps(openapi())), "servers": [{"url": stack.base_url}]},
    )
    assert shown.headers["content-encoding"] == "gzip"
    again = nobody.call("GET", "/openapi.json", headers={"if-none-match": shown.headers["etag"]})
    assert (again.status, again.body) == (304, None)
    page = nobody.pool.request("GET", f"{stack.base_url}/docs")
    assert page.status == 200 and page.headers["content-type"].startswith("text/html")
    assert page.data.startswith(b"<!doctype html>") and "default-src 'none'" in page.headers["content-security-policy"]
    for path in ("/models", "/jobs", "/openapi.json/x", "/docs/x", "/nowhere"):
        assert nobody.call("GET", path).status == 401, path
