"""OpenAI's package asks the deployed stack for pictures, speech and transcriptions."""

import base64
import struct

import openai
import pytest
from broker.cli import create_key

from tests.e2e.stack import Stack

SAID = "The lamp was lit before the storm came."


@pytest.mark.parametrize("model", ["of-azure"])
def test_pictures_and_sounds(stack: Stack, model: str) -> None:
    key = create_key(stack.database, "demo", "openai")
    with openai.OpenAI(base_url=stack.base_url, api_key=key, max_retries=0) as client:
        pictures = client.images.generate(model=model, prompt="A lamp.", n=2, size="320x640").data or []
        for picture in pictures:
            made = base64.b64decode(picture.b64_json or "")
            assert struct.unpack(">II", made[16:24]) == (320, 640)
            assert picture.url
        assert len(pictures) == 2
        spoken = client.audio.speech.create(model=model, voice="alloy", input=SAID, response_format="wav").read()
        heard = client.audio.transcriptions.create(model=model, file=("said.wav", spoken))
        assert heard.text == SAID
        with pytest.raises(openai.BadRequestError) as caught:
            client.audio.transcriptions.create(model=model, file=("said.txt", spoken))
        assert caught.value.param == "file"
        with pytest.raises(openai.BadRequestError) as refused:
            client.images.edit(image=base64.b64decode(pictures[0].b64_json or ""), prompt="A tower.")
        assert refused.value.code == "unsupported_call"
