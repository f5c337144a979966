"""What anybody may ask of the API, without a credential."""

from broker.contract.operation import Operation

PUBLIC_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/openapi.json"): Operation(
        "Get this document",
        "about",
        {200: None},
        content={"application/json": {"schema": {"type": "object"}}},
        headers=("Cache-Control",),
    ),
    ("GET", "/docs"): Operation(
        "Show this document as a page",
        "about",
        {200: None},
        content={"text/html": {"schema": {"type": "string"}}},
        headers=("Cache-Control", "Content-Security-Policy", "X-Content-Type-Options"),
    ),
}
"""By method and path, as `rest.published.PUBLIC_ROUTES`."""
