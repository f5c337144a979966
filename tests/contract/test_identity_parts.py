"""The user pool and the domain by parameter: whose tokens are good for what, and no way around certificates."""

import re

from broker.contract.operations import OPERATIONS

from bench.template import standing as standing_in_template
from tests.contract.parts import of_part, part, standing
from tests.contract.stack import ROOT, of_type, template

PAGE = (ROOT / "docs" / "hardening.md").read_text()
SECURITY = (ROOT / "docs" / "security.md").read_text()

BY_NAME_ALONE = {"pii:read", "users:name"}
"""Scopes that `*` does not have either."""


def scopes_of_the_api() -> set[str]:
    """As docs/security.md lists them, which a test of its own holds against the code."""
    text = SECURITY.partition("its scopes say:")[2].partition("`*` stands")[0]
    return set(re.findall(r"`(\w+:\w+)`", text))


def pool_client(name: str) -> dict[str, object]:
    return of_part("identity", "AWS::Cognito::UserPoolClient")[name]


def test_each_is_made_by_its_parameter_alone() -> None:
    before = standing_in_template().keys()
    assert standing_in_template(Cognito="on").keys() - before == {"IdentityStack"}
    assert standing_in_template(DomainName="api.example.com").keys() - before == {"DomainStack"}


def test_the_pool_knows_the_scopes_of_the_api() -> None:
    (server,) = of_part("identity", "AWS::Cognito::UserPoolResourceServer").values()
    assert {each["ScopeName"] for each in server["Scopes"]} == scopes_of_the_api()
    assert OPERATIONS, "or nothing has scopes"


def test_a_system_has_all_but_what_is_given_by_name() -> None:
    (server,) = of_part("identity", "AWS::Cognito::UserPoolResourceServer").values()
    given = {str(each).removeprefix(f"{server['Identifier']}/") for each in pool_client("System")["AllowedOAuthScopes"]}  # type: ignore[attr-defined]
    assert given == scopes_of_the_api() - BY_NAME_ALONE
    assert pool_client("System")["AllowedOAuthFlows"] == ["client_credentials"]
    assert f"scope_prefix:\n{server['Identifier']}/" in PAGE or f"scope_prefix: {server['Identifier']}/" in PAGE


def test_nobody_names_their_own_tenant() -> None:
    people = pool_client("People")
    assert "custom:tenant" in people["ReadAttributes"] and "custom:tenant" not in people["WriteAttributes"]  # type: ignore[operator]
    (pool,) = of_part("identity", "AWS::Cognito::UserPool").values()
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert set(people["ExplicitAuthFlows"]) == {"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}  # type: ignore[call-overload]


def test_tokens_of_the_pool_are_soon_over() -> None:
    assert pool_client("People")["IdTokenValidity"] == pool_client("System")["AccessTokenValidity"] == 15
    assert "good for fifteen minutes" in PAGE


def test_people_outlive_the_parameter() -> None:
    assert part("identity")["Resources"]["Pool"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert part("identity")["Resources"]["Pool"]["Properties"]["DeletionProtection"] == "ACTIVE"


def test_a_domain_speaks_tls_1_2_at_least() -> None:
    (domain,) = of_part("domain", "AWS::ApiGateway::DomainName").values()
    assert domain["SecurityPolicy"] == "TLS_1_2"
    condition, asked, none = domain["MutualTlsAuthentication"]["Fn::If"]
    assert (condition, none) == ("AsksForCertificates", {"Ref": "AWS::NoValue"})
    assert asked["TruststoreUri"] == {"Ref": "Truststore"}
    assert standing("domain").keys() == {"Domain", "Mapping"}


def test_who_is_asked_for_a_certificate_finds_no_other_address() -> None:
    (api,) = of_type("AWS::Serverless::Api").values()
    assert api["DisableExecuteApiEndpoint"] == {"Fn::If": ["AsksForCertificates", True, False]}
    # Until something of the stage changes, API Gateway still answers at its own address.
    assert api["Variables"]["certificates"]["Fn::If"][0] == "AsksForCertificates"
    conditions = template()["Conditions"]["AsksForCertificates"]["Fn::And"]
    assert {"Condition": "HasDomain"} in conditions, "else nothing would answer"
    rules = template()["Rules"]
    assert "DomainName" in str(rules["ATruststoreIsOfADomain"]["Assertions"])
    needed = set(re.findall(r"'Ref': '(\w+)'", str(rules["ADomainHasItsCertificateAndIsInLinks"]["Assertions"])))
    assert needed == {"DomainCertificate", "PublicUrl"}
