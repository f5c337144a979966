"""The network by parameter: who is in it, the one way out, and which of AWS's services are called how."""

import ast
import re

import pytest
from broker.cloud import first_attempt, keep_alive

from bench.pricing import HOURS_A_MONTH, PriceList
from bench.template import standing as standing_in_template
from tests.contract.doors import _tree, builders_behind, calls_of_bootstrap, modules_behind
from tests.contract.parts import of_part, part, standing, statements, told
from tests.contract.stack import ROOT, as_list, door_of, functions, rights, target, template

PAGE = (ROOT / "docs" / "hardening.md").read_text()
IN_NETWORK = {name for name, each in functions().items() if "VpcConfig" in each}

OUTSIDE = {"urllib3", "http", "socket"}
TO_AWS = {first_attempt.__name__, keep_alive.__name__}
"""Modules that connect to services of AWS and to nobody else."""

HANDS_ON = {"ApiFunction", "SweepFunction"}
"""These share the builder of deliveries, to have them attempted: by a message to `deliver`, which alone can sign."""


def _imported(module: str) -> set[str]:
    nodes = list(ast.walk(_tree(module)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    whole = plain | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {each.split(".")[0] for each in whole}


def callers() -> dict[str, set[str]]:
    """The functions that are built from modules which connect to others than AWS, with these modules."""
    found = {}
    for name in functions():
        door = ast.parse((ROOT / "functions" / "handlers" / f"{door_of(name)}.py").read_text())
        modules = modules_behind(builders_behind(calls_of_bootstrap(door))) - TO_AWS
        # The guard of addresses looks names up, and connects to nothing.
        found[name] = {each for each in modules if _imported(each) & OUTSIDE} - {"broker.delivery.addresses"}
    return {name: modules for name, modules in found.items() if modules}


def test_who_calls_others_than_aws_is_in_the_network_and_nobody_else() -> None:
    assert callers().keys() - HANDS_ON == IN_NETWORK == {"AuthorizeFunction", "InvokeModelFunction", "DeliverFunction"}
    for name in HANDS_ON:
        assert callers()[name] == {"broker.delivery.post"}
        role = rights(f"{name.removesuffix('Function')}Role")
        allowed = {action for each in role for action in as_list(each["Action"])}
        assert "secretsmanager:GetSecretValue" not in allowed, f"{name} could sign, so it may send"


def test_without_the_parameter_no_function_is_in_any_network() -> None:
    for name in IN_NETWORK:
        condition, inside, outside = functions()[name]["VpcConfig"]["Fn::If"]
        assert (condition, outside) == ("HasNetwork", {"Ref": "AWS::NoValue"})
        assert inside == {
            "SubnetIds": {"Fn::Split": [",", {"Fn::GetAtt": ["NetworkStack", "Outputs.Subnets"]}]},
            "SecurityGroupIds": {"Fn::Split": [",", {"Fn::GetAtt": ["NetworkStack", "Outputs.SecurityGroups"]}]},
        }
    assert standing_in_template(Network="vpc").keys() - standing_in_template().keys() == {"NetworkStack"}


def test_lambda_may_put_exactly_these_into_it() -> None:
    separator, roles = told("network")["Roles"]["Fn::Join"]
    assert separator == ","
    assert {target(each) for each in roles} == {f"{name.removesuffix('Function')}Role" for name in IN_NETWORK}
    (policy,) = of_part("network", "AWS::IAM::ManagedPolicy").values()
    assert policy["Roles"] == {"Ref": "Roles"}
    allowed = {each for one in statements(policy) if one["Effect"] == "Allow" for each in one["Action"]}
    (denied,) = (one for one in statements(policy) if one["Effect"] == "Deny")
    assert set(denied["Action"]) == allowed, "code of the function could use what Lambda alone needs"
    assert "lambda:SourceFunctionArn" in denied["Condition"]["ArnLike"]


def test_lambda_may_take_interfaces_out_until_there_are_none() -> None:
    """It does so with the function's role, minutes after the function has left; a subnet or group in use cannot go."""
    outputs = part("network")["Outputs"]
    told_of = str([outputs[name]["Value"]["Fn::If"][1] for name in ("Subnets", "SecurityGroups")])
    holding = {name: each for name, each in part("network")["Resources"].items() if name in told_of}
    assert holding.keys() == {"PrivateSubnetA", "PrivateSubnetB", "Functions"}
    assert {each.get("DependsOn") for each in holding.values()} == {"AttachPolicy"}


def test_a_given_network_is_used_as_it_is_and_nothing_but_the_policy_is_made() -> None:
    assert standing("network", GivenSubnets="subnet-1").keys() == {"AttachPolicy"}
    assert told("network")["GivenSubnets"] == {"Fn::If": ["MakesNetwork", "", {"Ref": "NetworkSubnets"}]}
    rule = template()["Rules"]["AGivenNetworkIsTold"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Network"}, "given"]}
    assert {"NetworkSubnets", "NetworkSecurityGroups"} == set(re.findall(r"'Ref': '(\w+)'", str(rule["Assertions"])))


def test_https_is_the_only_way_out_and_there_is_none_in() -> None:
    group = of_part("network", "AWS::EC2::SecurityGroup")["Functions"]
    assert "SecurityGroupIngress" not in group
    (out,) = group["SecurityGroupEgress"]
    assert (out["IpProtocol"], out["FromPort"], out["ToPort"]) == ("tcp", 443, 443)
    assert not of_part("network", "AWS::EC2::SecurityGroupIngress")


def test_endpoints_take_calls_of_the_functions_alone() -> None:
    group = of_part("network", "AWS::EC2::SecurityGroup")["EndpointsGroup"]
    (taken,) = group["SecurityGroupIngress"]
    assert target(taken["SourceSecurityGroupId"]) == "Functions" and "CidrIp" not in taken
    assert [each["CidrIp"] for each in group["SecurityGroupEgress"]] == ["127.0.0.1/32"], "none named is all allowed"


@pytest.mark.parametrize(("addresses", "gateways"), [("1", {"NatA"}), ("2", {"NatA", "NatB"})])
def test_each_private_subnet_leaves_by_a_gateway_that_stands(addresses: str, gateways: set[str]) -> None:
    here = standing("network", Addresses=addresses)
    made = {name for name, each in here.items() if each["Type"] == "AWS::EC2::NatGateway"}
    assert made == gateways
    for name in made:
        nat = here[name]["Properties"]
        assert target(nat["SubnetId"]) == f"PublicSubnet{name[-1]}" and target(nat["SubnetId"]) in here
        assert target(nat["AllocationId"]) == f"Address{name[-1]}" and target(nat["AllocationId"]) in here
        assert here[f"Address{name[-1]}"]["DependsOn"] == "GatewayAttachment", "AWS gives none before"
    b = here["PrivateRouteB"]["Properties"]["NatGatewayId"]
    assert b == {"Fn::If": ["MakesTwo", {"Ref": "NatB"}, {"Ref": "NatA"}]}
    assert target(here["PrivateRouteA"]["Properties"]["NatGatewayId"]) == "NatA"


def test_subnets_lie_in_two_zones_and_share_no_address() -> None:
    found = of_part("network", "AWS::EC2::Subnet")
    zones = {name: each["AvailabilityZone"]["Fn::Select"][0] for name, each in found.items()}
    assert zones == {"PublicSubnetA": 0, "PublicSubnetB": 1, "PrivateSubnetA": 0, "PrivateSubnetB": 1}
    blocks = {each["CidrBlock"]["Fn::Select"][0] for each in found.values()}
    assert blocks == {0, 1, 2, 3}
    # Four blocks of 2**6 addresses are all of a /24, the smallest that the template takes.
    assert {str(each["CidrBlock"]["Fn::Select"][1]["Fn::Cidr"][1:]) for each in found.values()} == {"[4, 6]"}
    assert not any(each["MapPublicIpOnLaunch"] for each in found.values())


@pytest.mark.parametrize(
    ("given", "taken"), [("10.0.0.0/16", True), ("10.91.0.0/24", True), ("10.0.0.0/25", False), ("10.0.0.0/8", False)]
)
def test_a_block_is_as_large_as_a_network_may_be(given: str, taken: bool) -> None:
    assert bool(re.fullmatch(template()["Parameters"]["NetworkCidr"]["AllowedPattern"], given)) is taken


BY_THE_WAY_OUT = {
    "bedrock-agent": "batches and what guardrails judge",
    **dict.fromkeys(("comprehend", "lex", "polly", "rekognition", "sagemaker"), "providers"),
    **dict.fromkeys(("textract", "transcribe", "translate"), "providers"),
}
"""Services that have no endpoint here: each would be 14.60 dollars a month, for calls that most stacks never make."""

BY_LAMBDA = {"logs", "xray", "iam"}
"""What Lambda itself sends for a function, and a right that no call goes with."""


def services_of_those_inside() -> set[str]:
    roles = (rights(f"{name.removesuffix('Function')}Role") for name in IN_NETWORK)
    actions = {action for role in roles for each in role for action in as_list(each["Action"])}
    return {each.split(":")[0] for each in actions} - BY_LAMBDA


def test_each_service_that_is_called_has_an_endpoint_or_goes_by_the_way_out() -> None:
    named = {name: each["ServiceName"]["Fn::Sub"] for name, each in of_part("network", "AWS::EC2::VPCEndpoint").items()}
    reached = {each.removeprefix("com.amazonaws.${AWS::Region}.").removesuffix("-runtime") for each in named.values()}
    assert services_of_those_inside() == reached | (BY_THE_WAY_OUT.keys() - {"bedrock-agent"})
    for service in BY_THE_WAY_OUT.keys() - {"bedrock-agent"}:
        assert service.capitalize() in PAGE or {"sagemaker": "SageMaker"}.get(service, "-") in PAGE


def test_tables_and_buckets_go_by_what_costs_nothing_and_others_are_not_written() -> None:
    free = {n: e for n, e in of_part("network", "AWS::EC2::VPCEndpoint").items() if e["VpcEndpointType"] == "Gateway"}
    assert free.keys() == {"TablesEndpoint", "BucketsEndpoint"}
    for endpoint in free.values():
        assert {target(each) for each in endpoint["RouteTableIds"]} == {"PrivateRoutesA", "PrivateRoutesB"}
        for each in endpoint["PolicyDocument"]["Statement"]:
            ours = each.get("Condition") == {"StringEquals": {"aws:ResourceAccount": {"Ref": "AWS::AccountId"}}}
            assert ours or each["Action"] == "s3:GetObject", "what somebody made us send would leave by it"


def test_addresses_are_told() -> None:
    output = template()["Outputs"]["OutgoingAddress"]
    assert output["Condition"] == "MakesNetwork"
    assert output["Value"] == {"Fn::GetAtt": ["NetworkStack", "Outputs.Addresses"]}
    assert part("network")["Outputs"]["Addresses"]["Condition"] == "Makes"
    # A given network has none to tell, and its stack no such output.
    assert template()["Conditions"]["MakesNetwork"] == {"Fn::Equals": [{"Ref": "Network"}, "vpc"]}


def monthly(**parameters: str) -> float:
    usd = PriceList.load().usd
    hourly = 0.0
    for each in standing("network", **parameters).values():
        match each["Type"], each.get("Properties", {}).get("VpcEndpointType"):
            case "AWS::EC2::NatGateway", _:
                hourly += usd["nat_gateway_hour"]
            case "AWS::EC2::EIP", _:
                hourly += usd["public_address_hour"]
            case _, "Interface":
                hourly += usd["endpoint_hour"] * len(each["Properties"]["SubnetIds"])
    return hourly * HOURS_A_MONTH


def test_the_page_says_what_it_costs() -> None:
    one, two = monthly(Addresses="1"), monthly(Addresses="2")
    rows = {
        "`Network=vpc`": one,
        "`NetworkAddresses=2`": two - one,
        "`NetworkEndpoints=on`": monthly(Addresses="1", Endpoints="on") - one,
        "`Network=given`": monthly(GivenSubnets="subnet-1"),
    }
    for name, dollars in rows.items():
        (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| {name} |"))
        assert row.rstrip("| ").rpartition("|")[2].strip() == f"{dollars:.2f}", name
