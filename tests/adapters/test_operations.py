"""The facts of services that speak JSON, against botocore's models."""

import ast
from typing import Any

import pytest
from broker.cloud.operations import SERVICES, Service

from tests.adapters.conftest import session
from tests.contract.stack import ROOT

CLOUD = ROOT / "functions" / "broker" / "cloud"


@pytest.mark.parametrize(("name", "service"), SERVICES.items(), ids=SERVICES)
def test_they_are_those_of_the_models(name: str, service: Service) -> None:
    model = session().get_service_model(name)
    given = model.metadata
    assert model.resolved_protocol == "json"
    assert (service.json, service.target) == (given["jsonVersion"], given["targetPrefix"])
    assert service.host == model.signing_name
    assert service.variable == model.service_id.hyphenize().replace("-", "_").upper()
    assert service.keeps_codes == ("awsQueryCompatible" in given)
    methods: dict[str, Any] = session().create_client(name, "us-east-1").meta.method_to_api_mapping
    assert service.operations == {method: methods[method] for method in service.operations}
    tokens = {each: model.operation_model(each).idempotent_members for each in service.operations.values()}
    assert service.tokens == {operation: members[0] for operation, members in tokens.items() if members}


def test_what_is_called_is_listed_and_nothing_else() -> None:
    # What calls sockets, what is operators', and what calls connections of WebSockets.
    aside = ("keep_alive.py", "replaying.py", "dead_letters.py", "connections.py")
    trees = (ast.parse(path.read_text()) for path in CLOUD.glob("*.py") if path.name not in aside)
    called = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for name, service in SERVICES.items():
        methods = session().create_client(name, "us-east-1").meta.method_to_api_mapping
        assert called & methods.keys() == service.operations.keys(), name
