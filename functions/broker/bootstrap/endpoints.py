"""Builds what registered endpoints need: to be kept, to be told of what happened, and to be sent to."""

from functools import cache
from typing import TYPE_CHECKING, Any

from broker.bootstrap.adapters import database, delivery_queue, is_local, setting, tell_bus

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.cloud.seals import KmsSeal
    from broker.endpoints.keeping import Endpoints
    from broker.endpoints.registered import RegisteredEndpoints
    from broker.endpoints.telling import TellEndpoints
    from broker.rest.endpoints import EndpointDoor


@cache
def seal() -> "KmsSeal":
    """Their secrets."""
    from broker.cloud.clients import client
    from broker.cloud.seals import KmsSeal

    return KmsSeal(lambda: client("kms"), setting("SEALING_KEY"))


@cache
def endpoints() -> "Endpoints":
    """The endpoints."""
    from broker.delivery.addresses import check_form
    from broker.endpoints.keeping import Endpoints

    def sealed(tenant: str, endpoint_id: str, text: str) -> bytes:
        return seal().seal(tenant, endpoint_id, text)

    return Endpoints(database(), sealed, lambda url: check_form(url, allow_private=is_local()))


@cache
def tell_endpoints() -> "TellEndpoints":
    """Telling them."""
    from broker.delivery.starting import StartDelivery
    from broker.endpoints.telling import Listeners, TellEndpoints

    return TellEndpoints(Listeners(database()), StartDelivery(database(), delivery_queue()))


@cache
def registered() -> "RegisteredEndpoints":
    """Sending to them."""
    from broker.delivery.starting import StartDelivery
    from broker.endpoints.registered import RegisteredEndpoints
    from broker.metrics import attempt_uncounted

    def opened(tenant: str, endpoint_id: str, sealed: bytes) -> str:
        return seal().open(tenant, endpoint_id, sealed)

    start = StartDelivery(database(), delivery_queue())
    return RegisteredEndpoints(database(), endpoints(), start, opened, tell_bus, attempt_uncounted)


def exhausted(owner: str, note: dict[str, Any]) -> None:
    """Tell of a webhook whose schedule is over."""
    from broker.clock import now_ms
    from broker.endpoints.registered import exhausted

    tell_bus(*exhausted(owner, note, now_ms()))


def endpoint_door(again: "Callable[[str, str, dict[str, Any], int], bool]") -> "EndpointDoor":
    """Their routes; `again` sends a delivery once more."""
    from broker.delivery.starting import StartDelivery
    from broker.endpoints.log import DeliveryLog
    from broker.endpoints.testing import Test
    from broker.rest.endpoints import EndpointDoor

    test = Test(database(), StartDelivery(database(), delivery_queue()))
    return EndpointDoor(database(), endpoints(), DeliveryLog(database(), again), test)
