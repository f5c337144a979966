"""Where the API Gateway of MiniStack 1.5.33 is not like AWS's, and what is done about it.

It answers what it refuses by an API's gateway responses, as AWS does, but takes none from an API's OpenAPI document,
where SAM writes those of the template (`x-amazon-apigateway-gateway-responses` at its root, API Gateway Developer
Guide). Here they are put when the document is imported, before the deployment that they are part of.

It takes the kinds of bodies that are binary as the template writes them, with `~1` for a slash (CloudFormation Template
Reference, "AWS::ApiGateway::RestApi"), and then finds none of that name.

Of an operation for any method (`x-amazon-apigateway-any-method`, same guide) it takes no notice in a document.

It compresses no reply. AWS does where the API names a least size, for clients that say that they take gzip ("Receive an
API response with a compressed payload", same guide).

Other bodies that come in need no patch: what is of no binary kind, a function gets as a UTF-8 string, on AWS as well
("Content type conversions", same guide), in which U+FFFD stands for whatever was none.
"""

import gzip
import inspect
from functools import wraps
from typing import Any

from ministack.services import apigateway_v1

from local.emulator.rewriting import DoesNotFit

Reply = tuple[int, dict[str, Any], bytes]

EXTENSION = "x-amazon-apigateway-gateway-responses"

ANY_METHOD = "x-amazon-apigateway-any-method"

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")

_KNOWN = {
    "_import_rest_api": ["spec", "base_data"],
    "_put_gateway_response": ["api_id", "response_type", "data"],
    "_handle_execute_in_scope": [
        *("api_id", "stage_name", "method", "path", "headers", "body", "query_params"),
        *("owner_account_id", "owner_region"),
    ],
}
"""What is called here, and with what."""


def patch() -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    taken = {name: list(inspect.signature(getattr(apigateway_v1, name)).parameters) for name in _KNOWN}
    if taken != _KNOWN or EXTENSION in inspect.getsource(apigateway_v1):
        raise DoesNotFit("API Gateway imports a document in another way")
    as_shipped = apigateway_v1._import_rest_api

    def import_rest_api(spec: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
        data = base_data or {}
        binary = [kind.replace("~1", "/") for kind in data.get("binaryMediaTypes", [])]
        api_id: str = as_shipped(any_method_spelled(spec), data | {"binaryMediaTypes": binary})
        for response_type, response in (spec.get(EXTENSION) or {}).items():
            status, _, body = apigateway_v1._put_gateway_response(api_id, response_type, response)
            if status >= 400:
                raise ValueError(f"gateway response {response_type}: {body!r}")
        return api_id

    apigateway_v1._import_rest_api = import_rest_api
    execute = apigateway_v1._handle_execute_in_scope

    @wraps(execute)
    async def handle_execute_in_scope(
        api_id: str, stage: str, method: str, path: str, headers: dict[str, Any], *more: Any
    ) -> Reply:
        reply = await execute(api_id, stage, method, path, headers, *more)
        least = (apigateway_v1._rest_apis.get(api_id) or {}).get("minimumCompressionSize")
        accepted = apigateway_v1._header_ci(headers, "accept-encoding")
        return reply if least is None else compressed(reply, int(least), accepted)

    apigateway_v1._handle_execute_in_scope = handle_execute_in_scope


def any_method_spelled(spec: dict[str, Any]) -> dict[str, Any]:
    """A document with each method by its name in the place of any method; one that a path has itself stays."""
    paths = {
        path: dict.fromkeys(METHODS, item[ANY_METHOD]) | item if ANY_METHOD in item else item
        for path, item in (spec.get("paths") or {}).items()
    }
    return {**spec, "paths": paths}


def compressed(reply: Reply, least: int, accepted: str) -> Reply:
    """A reply as a client gets it that accepts these encodings; what is encoded already stays as it is."""
    status, headers, body = reply
    takes = {each.partition(";")[0].strip().lower() for each in accepted.split(",")}
    if "gzip" not in takes or len(body) < least or apigateway_v1._header_ci(headers, "content-encoding"):
        return reply
    return status, {**headers, "Content-Encoding": "gzip"}, gzip.compress(body)
