"""Calls of which API Gateway does not know the route: it hands on what lies below one, or anywhere (`/{proxy+}`).

A `HEAD` is its `GET` without the body, a known path with another method a `405` that says which it has, a call that
clients' packages know a `400` that names it and says what there is instead, and anything else a `404`.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from broker.doors.unserved import instead_of
from broker.errors import InvalidRequest, NotFound
from broker.rest.http import Reply, Request, error_reply
from broker.rest.spoken import VERSION

LONGEST_TOLD = 200
"""Characters of a path in an error."""


def answer_elsewhere(
    request: Request,
    routes: Iterable[tuple[str, str]],
    answer: Callable[[Request], Reply],
    others: Iterable[tuple[str, str]] = (),
) -> Reply:
    """Answer such a call, or say why there is no answer.

    Args:
        request: of a resource that is none of the routes, or has not this method.
        routes: method and resource of all that are answered.
        answer: answers one of them.
        others: what is answered on another way, and so by just these methods.

    Raises:
        InvalidRequest: a package knows the call, and it is not answered.
        NotFound: nobody knows it.
    """
    path = path_of(request)
    known = _known(path, routes)
    if request.method in known:  # `DELETE /batches/estimate`: API Gateway looked at the route of that name alone
        resource, variables = known[request.method]
        return answer(replace(request, resource=resource, path=variables))
    if request.method == "HEAD" and "GET" in known:
        resource, variables = known["GET"]
        # Who only looks does not wait.
        query = {name: value for name, value in request.query.items() if name != "wait"}
        asked = replace(request, method="GET", resource=resource, path=variables, query=query)
        return replace(answer(asked), bodiless=True)
    instead = instead_of(request.method, path, anthropic=VERSION in request.headers)
    if instead is not None:
        call = f"{request.method} /v1{path}"[:LONGEST_TOLD]
        raise InvalidRequest(f"{call} is not supported here ({instead}).", code="unsupported_call")
    methods = {*known, *_known(path, others)}
    if not methods:
        raise NotFound("There is no such route.", code="unknown_route")
    allowed = ", ".join(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in known else set())))
    refused = InvalidRequest(f"This path has {allowed}.", code="method_not_allowed")
    reply = error_reply(refused, request.request_id)
    return replace(reply, status=405, headers={**reply.headers, "allow": allowed})


def placed(request: Request, routes: Iterable[tuple[str, str]]) -> Request:
    """The request as one of the route that it means, where API Gateway only knows what that lies below.

    A `HEAD` means the route of its `GET`.

    Args:
        request: its resource ends in `{proxy+}`.
        routes: method and resource of all that are answered.
    """
    known = _known(path_of(request), routes)
    found = known.get(request.method) or (known.get("GET") if request.method == "HEAD" else None)
    return request if found is None else replace(request, resource=found[0], path=found[1])


def resource_of(method: str, path: str, routes: Iterable[tuple[str, str]]) -> str | None:
    """The resource that a path below the stage means by this method; None where no route has them."""
    known = _known(path, routes)
    found = known.get(method) or (known.get("GET") if method == "HEAD" else None)
    return None if found is None else found[0]


def path_of(request: Request) -> str:
    """The path that was called, below the stage."""
    parts = (
        request.path.get(part.strip("{+}"), "") if part.startswith("{") else part
        for part in request.resource.split("/")
    )
    return "/".join(parts)


def _known(path: str, routes: Iterable[tuple[str, str]]) -> dict[str, tuple[str, dict[str, str]]]:
    """By method, the resource that has the path, and its variables; of two, the one that says more of it."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for method, resource in sorted(routes, key=lambda route: -route[1].count("{")):
        variables = _variables(path, resource)
        if variables is not None:
            found[method] = (resource, variables)
    return found


def _variables(path: str, resource: str) -> dict[str, str] | None:
    """What a path has in the place of a resource's variables; None where it is another's."""
    given, wanted = path.split("/"), resource.split("/")
    if len(given) != len(wanted):
        return None
    found = {}
    for value, part in zip(given, wanted, strict=True):
        if part.startswith("{") and value:
            found[part.strip("{}")] = value
        elif part != value:
            return None
    return found
