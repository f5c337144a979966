"""Registered endpoints in memory, and their secrets as KMS would keep them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from broker.delivery.addresses import check_form
from broker.delivery.starting import Deliveries, StartDelivery
from broker.endpoints.keeping import Endpoints
from broker.endpoints.log import DeliveryLog
from broker.endpoints.testing import Test
from broker.errors import CredentialRejected
from broker.rest.endpoints import EndpointDoor
from broker.storage import Database, Item


@dataclass
class FakeSeal:
    """See `broker.endpoints.keeping.Seal`: what is sealed for one endpoint opens for no other."""

    opened: list[tuple[str, str]] = field(default_factory=list)

    def seal(self, tenant: str, endpoint_id: str, text: str) -> bytes:
        """See `Seal.seal`."""
        return f"{tenant}|{endpoint_id}|{text[::-1]}".encode()

    def open(self, tenant: str, endpoint_id: str, sealed: bytes) -> str:
        """See `Seal.open`."""
        self.opened.append((tenant, endpoint_id))
        whose, which, text = sealed.decode().split("|")
        if (whose, which) != (tenant, endpoint_id):
            raise CredentialRejected("It is another's.", code="bad_webhook_secret")
        return text[::-1]


def endpoints_of(database: Database, seal: FakeSeal | None = None) -> Endpoints:
    """The use cases, with the true guard of addresses."""
    return Endpoints(database, (seal or FakeSeal()).seal, lambda url: check_form(url, allow_private=False))


def an_endpoint_door(
    database: Database,
    deliveries: Deliveries,
    again: Callable[[str, str, Item, int], bool],
    while_waiting: Callable[[], object] = lambda: None,
) -> EndpointDoor:
    """The routes; `while_waiting` is done at each look at a test."""
    looks = 0

    def sleep(seconds: float) -> None:
        nonlocal looks
        looks += 1
        while_waiting()

    def clock() -> float:
        return math.inf if looks > 3 else 0.0  # nobody waits longer

    test = Test(database, StartDelivery(database, deliveries), sleep, clock)
    return EndpointDoor(database, endpoints_of(database), DeliveryLog(database, again), test)
