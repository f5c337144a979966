"""Builds what pushes: the WebSocket API's use cases, and telling its connections."""

from functools import cache
from typing import TYPE_CHECKING

from broker.bootstrap.adapters import base_url, database, jobs, setting
from broker.bootstrap.batching import batches
from broker.bootstrap.doors import call_rates

if TYPE_CHECKING:
    from broker.cloud.connections import SocketGateway
    from broker.push.connection import Connections
    from broker.push.listening import Listen
    from broker.push.telling import TellConnections
    from broker.push.watching import MayListen


@cache
def connections() -> "Connections":
    """The connections."""
    from broker.push.connection import Connections

    return Connections(database())


@cache
def socket_gateway() -> "SocketGateway":
    """Their far end."""
    from broker.cloud.connections import SocketGateway

    return SocketGateway(setting("PUSH_URL"))


@cache
def may_listen() -> "MayListen":
    """Whether their keys are still good."""
    from broker.push.watching import MayListen
    from broker.tenants.identity import is_good

    return MayListen(connections(), lambda digest, now: is_good(database(), digest, now))


@cache
def listen() -> "Listen":
    """What clients do."""
    from broker.push.listening import Listen

    return Listen(connections(), jobs(), batches(), may_listen(), call_rates().check, base_url())


@cache
def tell_connections() -> "TellConnections":
    """Telling them."""
    from broker.metrics import push_unsent
    from broker.push.telling import TellConnections
    from broker.side_by_side import side_by_side

    return TellConnections(connections(), socket_gateway(), may_listen(), base_url(), side_by_side, push_unsent)
