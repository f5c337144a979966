"""Registered endpoints as clients are shown them."""

from collections.abc import Mapping
from typing import Any

from broker.clock import iso, now_ms
from broker.delivery.signing import jwk
from broker.endpoints.record import ClientCertificate, Endpoint

COUNTED = ("attempts", "delivered", "failed")


def plain(endpoint: Endpoint) -> dict[str, Any]:
    """What a dialect makes its own form of."""
    names = ("id", "name", "url", "events", "created_at", "updated_at", "hint")
    return {name: getattr(endpoint, name) for name in names}


def summary(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint in the broker's own words, without what became of attempts."""
    return {
        "id": endpoint.id,
        "object": "webhook",
        "format": endpoint.form,
        "url": endpoint.url,
        "events": list(endpoint.events),
        "description": endpoint.name,
        "payload": "full" if endpoint.full else "thin",
        "secret_hint": endpoint.hint,
        "header_names": list(endpoint.header_names),
        "client_certificate": _certificate(endpoint.client),
        "jwks": {"keys": [jwk(each.public) for each in endpoint.signing(now_ms()) if each.public]},
        "enabled": endpoint.off is None,
        "disabled_by": endpoint.off,
        "disabled_at": iso(endpoint.off_at),
        "created_at": iso(endpoint.created_at),
        "updated_at": iso(endpoint.updated_at),
    }


def _certificate(kept: ClientCertificate | None) -> dict[str, Any] | None:
    if kept is None:
        return None
    known = kept.known
    return {"subject": known.subject, "sha256": known.sha256, "expires_at": iso(known.expires_at)}


def shown(endpoint: Endpoint, counts: Mapping[str, Any]) -> dict[str, Any]:
    """The same with what became of attempts."""
    attempts = counts.get("attempts", 0)
    statistics = {
        **{name: counts.get(name, 0) for name in COUNTED},
        "mean_latency_ms": counts["latency_ms"] // attempts if attempts else None,
        "last_at": iso(counts.get("last_at")),
        "last_status": counts.get("last_status"),
        "last_error": counts.get("last_error"),
        "failing_since": iso(counts.get("failing_since")),
    }
    return summary(endpoint) | {"statistics": statistics}
