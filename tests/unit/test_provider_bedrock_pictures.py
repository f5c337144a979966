"""Bedrock's models of pictures: their forms, and what was held back."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import Refused, Unavailable
from broker.providers.bedrock.provider import Bedrock
from broker.providers.wire.base import Blob, Call

from tests.fakes.aws import aws_environment
from tests.unit.bedrock_case import CALLS, IMAGE, PNG, SECRET, WORDS, answered, failed, picture
from tests.unit.provider_server import ProviderServer, Script


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running, aws_environment(SECRET, running.url):
        yield running


@pytest.fixture(scope="module")
def bedrock() -> Bedrock:
    return Bedrock()


@pytest.mark.parametrize("model", ["amazon.nova-canvas-v1:0", "amazon.titan-image-generator-v2:0"])
def test_pictures_of_amazons_models(server: ProviderServer, bedrock: Bedrock, model: str) -> None:
    call = replace(picture(model, size="1280x720", count=2), options={"image": {"quality": "premium"}})
    answer, bodies = answered(server, bedrock, call, Script({"images": [IMAGE, IMAGE], "error": None}))
    config = {"numberOfImages": 2, "seed": 7, "width": 1280, "height": 720, "quality": "premium"}
    assert bodies == [
        {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "A lamp 🎉"}, "imageGenerationConfig": config}
    ]
    assert answer.files == (Blob(PNG, "image/png"),) * 2
    assert (answer.output, answer.units, answer.input_tokens) == ({"count": 2}, {"images": 2}, 0)


def test_more_pictures_than_one_exchange_makes_are_different_ones(server: ProviderServer, bedrock: Bedrock) -> None:
    _, bodies = answered(server, bedrock, picture(count=7), Script({"images": [IMAGE]}))
    configs = [body["imageGenerationConfig"] for body in bodies]
    assert [each["numberOfImages"] for each in configs] == [4, 3]
    assert configs[0]["seed"] != configs[1]["seed"]
    unsaid = replace(picture(), parameters={})
    seeds = [
        answered(server, bedrock, unsaid, Script({"images": [IMAGE]}))[1][0]["imageGenerationConfig"]["seed"]
        for _ in range(5)
    ]
    assert all(0 <= seed < 858_993_460 for seed in seeds)
    assert len(set(seeds)) > 1


def test_pictures_of_stabilitys_models(server: ProviderServer, bedrock: Bedrock) -> None:
    model, reply = "us.stability.stable-image-ultra-v1:1", CALLS["stability"][1]
    call = replace(picture(model, size="1536x1024", format="jpg", count=2), options={"image": {"style": "x"}})
    answer, bodies = answered(server, bedrock, call, Script(reply))
    body = {"prompt": "A lamp 🎉", "output_format": "jpeg", "aspect_ratio": "3:2", "style": "x"}
    assert bodies == [body | {"seed": 7}, body | {"seed": 8}]
    assert answer.files == (Blob(PNG, "image/png"),) * 2  # what the bytes are goes before what was asked for
    assert (answer.output, answer.units) == ({"count": 2}, {"images": 2})
    _, bodies = answered(server, bedrock, replace(picture(model), parameters={}), Script(reply))
    assert bodies == [{"prompt": "A lamp 🎉", "output_format": "png"}]


REFUSALS: list[tuple[Call, Any]] = [
    (
        picture(),
        {"images": [], "error": f"All images have been blocked by our Content Filters. {WORDS}"},
    ),
    (
        picture(),
        {"images": None, "error": f"It may conflict with our AUP or AWS Responsible AI Policy. {WORDS}"},
    ),
    (picture("stability.sd3-5-large-v1:0", count=3), {"finish_reasons": ["Filter reason: prompt"]}),
    (picture("stability.sd3-5-large-v1:0"), {"finish_reasons": ["Filter reason: output image"], "images": [""]}),
]


@pytest.mark.parametrize(("call", "reply"), REFUSALS)
def test_filtered_pictures_are_refused(server: ProviderServer, bedrock: Bedrock, call: Call, reply: Any) -> None:
    error = failed(server, bedrock, call, Script(reply))
    assert (type(error), error.code, error.maybe_paid) == (Refused, "content_filtered", True)


def test_pictures_that_passed_are_given_with_what_was_held_back(server: ProviderServer, bedrock: Bedrock) -> None:
    reply = {"images": [IMAGE], "error": "Some of the generated images have been blocked by our content filters."}
    answer, _ = answered(server, bedrock, picture(count=2), Script(reply))
    assert (answer.output, answer.units, len(answer.files)) == ({"count": 1, "filtered": 1}, {"images": 1}, 1)


def test_a_model_that_failed_is_unavailable(server: ProviderServer, bedrock: Bedrock) -> None:
    reply = {"finish_reasons": ["Inference error"], "images": []}
    for call, body in ((CALLS["stability"][0], reply), (CALLS["nova"][0], {"error": WORDS})):
        error = failed(server, bedrock, call, Script(body))
        assert (type(error), error.code, error.maybe_paid) == (Unavailable, "inference_error", True)
