"""A new key opens every route, and the pages say of each scope what it is for."""

from broker.cli import ALL_SCOPES
from broker.cli.stack import KNOWN_SCOPES
from broker.rest.api import ROUTES

from tests.contract.stack import ROOT


def test_a_key_whose_scopes_are_not_named_opens_every_route() -> None:
    assert {scope for scope, _ in ROUTES.values()} <= set(ALL_SCOPES)


def test_each_scope_is_explained() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    assert [scope for scope in KNOWN_SCOPES if f"`{scope}`" not in text] == []


def test_who_upgrades_is_told_which_scopes_keys_of_before_lack() -> None:
    text = (ROOT / "docs" / "upgrading.md").read_text()
    later = set(ALL_SCOPES) - {"jobs:read", "jobs:write", "models:read", "usage:read"}
    assert [scope for scope in sorted(later) if f"`{scope}`" not in text] == []
