"""What tests of Bedrock's InvokeModel begin with: calls, and exchanges held against botocore's model of it."""

import base64
import json
import traceback
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from broker.errors import BrokerError
from broker.providers.bedrock.provider import Bedrock
from broker.providers.wire.base import Answer, Call

from tests.unit.provider_server import ProviderServer, Script

SECRET = "the-key-itself"
WORDS = "PROVIDER-TEXT that quotes: what is my diagnosis?"
PNG = b"\x89PNG\r\n\x1a\n and more"
IMAGE = base64.b64encode(PNG).decode()
OPERATION = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("InvokeModel")
TITAN = {"embedding": [0.5, -1], "inputTextTokenCount": 4}
COHERE = {"id": "1", "response_type": "embeddings_floats", "embeddings": [[0.5, -1]], "texts": [WORDS]}


def embedding(model: str = "amazon.titan-embed-text-v2:0", text: Any = "Was wäre 🎉?", **more: Any) -> Call:
    return replace(Call("embed", model, {"text": text}, {}, 20, None, "us-east-1"), **more)


def picture(model: str = "amazon.nova-canvas-v1:0", **asked: Any) -> Call:
    return Call("generate_image", model, {"text": "A lamp 🎉", **asked}, {"seed": 7}, 20, None, "us-east-1")


CALLS = {
    "titan": (embedding(), TITAN),
    "cohere": (embedding("cohere.embed-multilingual-v3"), COHERE),
    "nova": (picture(), {"images": [IMAGE]}),
    "stability": (picture("stability.sd3-5-large-v1:0"), {"images": [IMAGE], "finish_reasons": [None], "seeds": [1]}),
}


def answered(server: ProviderServer, bedrock: Bedrock, call: Call, script: Script) -> tuple[Answer, list[Any]]:
    """The answer, and the bodies that were sent, each in a request that the service takes."""
    server.answer(script)
    answer = bedrock.invoke(call)
    for asked in server.asked:
        assert asked.path == f"/model/{call.model.replace(':', '%3A')}/invoke"
        headers = {
            name: asked.headers[shape.serialization["name"].lower()]
            for name, shape in OPERATION.input_shape.members.items()
            if shape.serialization.get("location") == "header" and shape.serialization["name"].lower() in asked.headers
        }
        request = {"modelId": call.model, "body": json.dumps(asked.body), **headers}
        report = ParamValidator().validate(request, OPERATION.input_shape)
        assert not report.has_errors(), report.generate_report()
        assert headers["contentType"] == headers["accept"] == "application/json"
    return answer, [asked.body for asked in server.asked]


def failed(server: ProviderServer, bedrock: Bedrock, call: Call, script: Script, asked: int = 1) -> BrokerError:
    """The error, which tells neither the key nor the provider's words nor the request's."""
    server.answer(script)
    with pytest.raises(BrokerError) as caught:
        bedrock.invoke(call)
    assert len(server.asked) == asked
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.cause()
    assert not any(secret in shown for secret in (SECRET, "PROVIDER-TEXT", "diagnosis", "A lamp", "wäre"))
    return caught.value
