"""Where the API Gateway of MiniStack 1.5.33 is not like AWS's, and what is done about it.

It answers what it refuses by an API's gateway responses, as AWS does, but takes none from an API's OpenAPI document,
where SAM writes those of the template (`x-amazon-apigateway-gateway-responses` at its root, API Gateway Developer
Guide). Here they are put when the document is imported, before the deployment that they are part of.

Bodies need no patch: of an API without binary media types a function gets a UTF-8 string, on AWS as well ("Content type
conversions", same guide), in which U+FFFD stands for whatever was none.
"""

import inspect
from typing import Any

from ministack.services import apigateway_v1

from local.emulator.rewriting import DoesNotFit

EXTENSION = "x-amazon-apigateway-gateway-responses"

_KNOWN = {"_import_rest_api": ["spec", "base_data"], "_put_gateway_response": ["api_id", "response_type", "data"]}
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
        api_id: str = as_shipped(spec, base_data)
        for response_type, response in (spec.get(EXTENSION) or {}).items():
            status, _, body = apigateway_v1._put_gateway_response(api_id, response_type, response)
            if status >= 400:
                raise ValueError(f"gateway response {response_type}: {body!r}")
        return api_id

    apigateway_v1._import_rest_api = import_rest_api
