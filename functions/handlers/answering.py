"""What the doors of the REST API share: an error that is not ours becomes `500` without its text."""

from collections.abc import Callable

from broker.errors import BrokerError
from broker.observability import place_of, warn
from broker.rest.http import Reply, Request, error_reply


def answered(request: Request, door: Callable[[Request], Reply]) -> Reply:
    """The door's reply, or that of the error."""
    try:
        return door(request)
    except BrokerError as error:
        return error_reply(error, request.request_id)
    except Exception as error:
        warn("unexpected error", error=type(error).__name__, at=place_of(error), route=request.resource)
        return error_reply(BrokerError("Something went wrong on our side."), request.request_id)
