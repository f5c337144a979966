"""What the doors of the REST API share: an error that is not ours becomes `503` where it passes by itself, else `500`.

Neither has its text.
"""

from collections.abc import Callable
from dataclasses import replace

from broker.errors import BrokerError
from broker.observability import place_of, warn
from broker.rest.http import Reply, Request, error_reply


def answered(request: Request, door: Callable[[Request], Reply]) -> Reply:
    """The door's reply, or that of the error."""
    reply = _answered(request, door)
    return replace(reply, headers=reply.headers | request.told) if request.told else reply


def _answered(request: Request, door: Callable[[Request], Reply]) -> Reply:
    try:
        return door(request)
    except BrokerError as error:
        return error_reply(error, request.request_id)
    except Exception as error:
        from broker.cloud.overload import unavailable

        passes = unavailable(error)
        what = "unexpected error" if passes is None else "answered that it is busy"
        warn(what, error=type(error).__name__, at=place_of(error), route=request.resource)
        told = passes or BrokerError("Something went wrong on our side.")
        return error_reply(told, request.request_id)
