"""Secrets of registered endpoints: the API seals them and opens none, and deliver opens them."""

from typing import Any

import pytest
from broker.cloud.seals import PURPOSE

from tests.contract.stack import as_list, functions, rights

OURS = {"StringEquals": {"kms:EncryptionContext:purpose": PURPOSE}}


def of_the_key(name: str, action: str) -> list[Any]:
    role = rights(f"{name.removesuffix('Function')}Role")
    return [each for each in role if action in as_list(each["Action"])]


@pytest.mark.parametrize("name", functions())
def test_the_api_alone_seals_and_may_not_open(name: str) -> None:
    sealing = [(each["Effect"], each.get("Condition")) for each in of_the_key(name, "kms:Encrypt")]
    barred = [each.get("Condition") for each in of_the_key(name, "kms:Decrypt") if each["Effect"] == "Deny"]
    if name == "ApiFunction":
        assert (sealing, barred) == ([("Allow", OURS)], [OURS])
    elif name != "InvokeModelFunction":  # encrypts what services of AWS write for it
        assert (sealing, barred) == ([], [])


def test_deliver_opens_and_tells_the_bus() -> None:
    assert [each["Effect"] for each in of_the_key("DeliverFunction", "kms:Decrypt")] == ["Allow"]
    assert of_the_key("DeliverFunction", "events:PutEvents")


def test_no_other_function_knows_the_key_by_name() -> None:
    knows = {
        name for name, each in functions().items() if "SEALING_KEY" in each.get("Environment", {}).get("Variables", {})
    }
    assert knows == {"ApiFunction", "DeliverFunction"}
