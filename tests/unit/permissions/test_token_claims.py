"""What tokens say of application, groups and roles: by the claims that the issuer's entry names, and by no others."""

from typing import Any

import pytest
from broker.permissions.who import Member
from broker.registry.document import parse_registry

from tests.security.token_case import AUDIENCE, ISSUER, JWKS, Desk, token

CLAIMS = {"application_claim": "azp", "groups_claim": "teams", "roles_claim": "https://acme.example/roles"}


def test_the_claims_that_the_entry_names_are_read_and_a_text_is_one_name() -> None:
    desk = Desk(settings=CLAIMS)
    said = {"azp": "crm", "teams": ["sales", "night shift"], "https://acme.example/roles": "author of letters"}
    found = desk(token(**said, groups=["marketing"], roles=["boss"], application="campaigns")).member
    assert found == Member("crm", frozenset({"sales", "night shift"}), frozenset({"author of letters"}))
    assert desk(token()).member == Member()


def test_where_the_entry_names_none_no_token_says_anything() -> None:
    assert Desk()(token(application="crm", groups=["marketing"], roles=["boss"], azp="crm")).member == Member()
    assert Desk()(token(**{"": "marketing"})).member == Member(), "nor by a claim without a name"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"azp": ["crm"]}, "malformed_application"),
        ({"azp": "other#crm"}, "malformed_application"),
        ({"azp": "a" * 129}, "malformed_application"),
        ({"teams": {"marketing": True}}, "malformed_groups"),
        ({"teams": ["marketing", 1]}, "malformed_groups"),
        ({"teams": ["market\ning"]}, "malformed_groups"),
        ({"teams": 7}, "malformed_groups"),
        ({"https://acme.example/roles": [None]}, "malformed_groups"),
    ],
)
def test_a_claim_that_is_no_name_opens_nothing(said: dict[str, Any], reason: str) -> None:
    assert Desk(settings=CLAIMS).refuses(token(**said)) == reason


def test_the_entry_is_kept_as_it_is_read() -> None:
    entry = {"issuer": ISSUER, "jwks_uri": JWKS, "audience": AUDIENCE, "tenant": "acme", **CLAIMS}
    item = parse_registry({"issuers": [entry]}).issuers[0].item()
    assert {name: item[name] for name in CLAIMS} == CLAIMS
