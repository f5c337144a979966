"""Each route has an example of what it takes and gives, which is one, and the codes of its errors."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.contract.openapi_calls import DOCUMENT

AGAIN = "run `python -m tests.contract.openapi_examples`, and then `make schemas`"

OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What has a JSON form: the body, and the replies that are no shared errors."""
    for place, holder in {"body": operation.get("requestBody", {}), **operation["responses"]}.items():
        for kind, content in holder.get("content", {}).items():
            if kind == "application/json" and "$ref" in content["schema"]:
                yield place, content


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_a_route_takes_and_gives_has_an_example_that_is_one(name: str) -> None:
    for place, content in contents(OPERATIONS[name]):
        if place == "410" or (place == "body" and not OPERATIONS[name]["requestBody"]["required"]):
            continue  # a job and why its answer is gone; what need not be sent
        assert "example" in content, f"{name} has no example of {place}: {AGAIN}"
        schema = content["schema"] | {"components": DOCUMENT["components"]}
        errors = [error.message for error in Draft202012Validator(schema).iter_errors(content["example"])]
        assert not errors, f"{name}, the example of {place}: {errors[:2]}; {AGAIN}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_error_of_a_route_has_its_codes(name: str) -> None:
    operation = OPERATIONS[name]
    for status in operation["responses"]:
        if status >= "4" and status != "410":
            codes = operation["x-error-codes"][status]
            assert codes, f"{name} says nothing of what a {status} may be: {AGAIN}"
            assert all(code.removeprefix("-").replace("_", "").isalnum() for code in codes)


def test_examples_are_of_nobody_and_of_no_time() -> None:
    text = str(OPERATIONS)
    assert "2026-11" not in text, "the file would change whenever it is written"
