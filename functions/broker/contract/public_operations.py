"""What anybody may ask of the API, without a credential."""

from broker.contract.operation import Operation, parameter

TAGGED = ("Cache-Control", "Content-Security-Policy", "ETag", "X-Content-Type-Options")

FILE = parameter("path", "file", "Its name.", {"type": "string"}, required=True, example="config.json")

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
    ("GET", "/console"): Operation(
        "Show the console",
        "about",
        {200: None},
        content={"text/html": {"schema": {"type": "string"}}},
        headers=TAGGED,
    ),
    ("GET", "/console/{file}"): Operation(
        "Get a module of the console, or its settings",
        "about",
        {200: None},
        errors=(404,),
        parameters=(FILE,),
        content={
            "text/javascript": {"schema": {"type": "string"}},
            "text/css": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}},
        },
        headers=TAGGED,
    ),
}
"""By method and path, as `rest.published.PUBLIC_ROUTES`."""
