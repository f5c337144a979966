"""What each check can find, by name: what the `kinds` of a rule may say. Only registration asks."""

from collections.abc import Callable, Mapping
from functools import cache

STRUCTURED = (
    *("password", "secret_value", "private_key", "jwt", "authorization_header", "session_cookie", "url_password"),
    *("signed_url", "connection_string", "netrc_password", "pgpass_password"),
)
"""Secrets that have no issuer."""

ADDRESSES = ("email", "phone", "iban", "ip_address", "mac_address", "bitcoin_address", "ethereum_address")
"""Personal data beside what `data/personal_data.json` has."""


@cache
def kinds_of(check: str) -> frozenset[str]:
    """All kinds of a check; none where it has no table of them."""
    known = _KINDS.get(check)
    return known() if known else frozenset()


def _secrets() -> frozenset[str]:
    from broker.guardrails.secrets.issuers import issuers

    return frozenset((*STRUCTURED, *(issuer.id for issuer in issuers())))


def _cards() -> frozenset[str]:
    from broker.guardrails.card_networks import NETWORKS

    return frozenset(network.name for network in NETWORKS)


def _personal() -> frozenset[str]:
    from broker.guardrails.pii.words import document

    told = (row["kind"] for table in ("ids", "labelled") for row in document()[table])
    return frozenset((*ADDRESSES, "date_of_birth", *told))


def _hidden() -> frozenset[str]:
    from broker.guardrails.checks.hidden_text import KINDS

    return frozenset((*(kind for kind, *_ in KINDS), "hidden_style", "comment", "alternative_text"))


_KINDS: Mapping[str, Callable[[], frozenset[str]]] = {
    "secrets": _secrets,
    "card_numbers": _cards,
    "personal_data": _personal,
    "hidden_text": _hidden,
    "prompt_leak": lambda: frozenset(("system_prompt", "canary")),
    "markup": lambda: frozenset(("script_url", "active_html", "remote_picture")),
    "tool_calls": lambda: frozenset(("tool_not_allowed", "denied_argument")),
}
