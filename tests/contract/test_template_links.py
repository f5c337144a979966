"""Where the stack's links lead: a domain of the operators' own, the stage's, or the embedded cloud's."""

import re
from typing import Any

import pytest

from tests.contract.stack import functions, of_type, template

AWS = {"AWS::Region": "cn-north-1", "AWS::URLSuffix": "amazonaws.com.cn", "Api": "a1b2c3"}
LOCAL = "http://127.0.0.1:4566/_aws/execute-api"


def value(written: Any, **parameters: str) -> str:
    """What CloudFormation makes of an expression of the template."""
    known = {"Target": "aws", "PublicUrl": "", "LocalUrl": ""} | AWS | parameters
    holds = {"OnAws": known["Target"] == "aws", "HasPublicUrl": known["PublicUrl"] != ""}
    match written:
        case {"Fn::If": [condition, yes, no]}:
            return value(yes if holds[condition] else no, **parameters)
        case {"Ref": name}:
            return known[name]
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: known[found[1]], text)
    return str(written)


def told() -> dict[str, Any]:
    """The base URL as each function is told it that links where no call asked, and as an output."""
    variables = {name: each.get("Environment", {}).get("Variables", {}) for name, each in functions().items()}
    found = {name: each["BASE_URL"] for name, each in variables.items() if "BASE_URL" in each}
    return found | {"ApiUrl": template()["Outputs"]["ApiUrl"]["Value"]}


@pytest.mark.parametrize("name", sorted(told()))
def test_all_say_the_same(name: str) -> None:
    (api,) = of_type("AWS::Serverless::Api").values()
    own = f"https://a1b2c3.execute-api.cn-north-1.amazonaws.com.cn/{api['StageName']}"
    assert value(told()[name]) == own
    assert value(told()[name], PublicUrl="https://api.example.com/ai") == "https://api.example.com/ai"
    assert value(told()[name], Target="local", LocalUrl=LOCAL) == f"{LOCAL}/a1b2c3/{api['StageName']}"


def test_replies_go_by_the_call_unless_operators_say_otherwise() -> None:
    written = functions()["ApiFunction"]["Environment"]["Variables"]["PUBLIC_URL"]
    assert value(written) == ""
    assert value(written, PublicUrl="https://api.example.com/ai") == "https://api.example.com/ai"
    assert value(written, Target="local", LocalUrl=LOCAL).replace("{api}", "a1b2c3") == f"{LOCAL}/a1b2c3/v1"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        *(("", True), ("https://api.example.com", True), ("https://api.example.com/ai/v2", True)),
        *(("https://api.example.com/", False), ("api.example.com", False), ("https://api.example.com/?a=b", False)),
        ("https://api.example.com/a b", False),
    ],
)
def test_a_public_url_is_one_that_paths_can_be_hung_on(given: str, taken: bool) -> None:
    assert bool(re.fullmatch(template()["Parameters"]["PublicUrl"]["AllowedPattern"], given)) is taken
