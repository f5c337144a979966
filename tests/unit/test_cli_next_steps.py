"""Each error of the contract says what to do next."""

import ast
import json
from typing import Any

import pytest
from broker.cli.next_steps import BY_CODE, BY_TYPE, next_step

from tests.contract.stack import ROOT
from tests.unit.test_cli_asking import door as door
from tests.unit.test_cli_asking import main
from tests.unit.test_cli_asking import server as server

CODES = {
    keyword.value.value
    for path in (ROOT / "functions" / "broker").rglob("*.py")
    if "cli" not in path.parts
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.Call)
    for keyword in node.keywords
    if keyword.arg == "code" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
}
"""All codes that errors of the broker are given by name."""


def test_each_type_of_the_published_contract_has_a_step() -> None:
    document = json.loads((ROOT / "schemas" / "openapi.json").read_text())
    types = set(document["components"]["schemas"]["ErrorFacts"]["properties"]["type"]["enum"])
    assert len(types) > 20 and types <= BY_TYPE.keys(), types - BY_TYPE.keys()


def test_no_step_is_for_a_code_that_is_gone() -> None:
    assert len(CODES) > 150
    assert BY_CODE.keys() <= CODES, BY_CODE.keys() - CODES


def test_a_code_goes_before_its_type_and_what_nobody_knows_has_a_step_too() -> None:
    assert next_step("invalid_request", "unknown_model") == BY_CODE["unknown_model"]
    assert next_step("invalid_request", "of tomorrow") == BY_TYPE["invalid_request"]
    assert next_step("of tomorrow", "of tomorrow") == BY_TYPE["internal_error"]


def test_an_error_of_the_api_is_told_with_its_step(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "Hi", "--model", "none"]) == 3
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == f"  next: {BY_CODE['unknown_model']}" and len(lines) == 2
    assert main(["get", "job_none", "--json"]) == 5
    told = json.loads(capsys.readouterr().err)
    assert (told["error"]["type"], told["error"]["next_step"]) == ("not_found", BY_TYPE["not_found"])
