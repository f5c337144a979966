"""Which path is whose: the wire format that answers there, and the model's name where the path holds it."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from local.model_server.brain.reply import prose_only, reply
from local.model_server.exchange import Format, Reply, Request, Wire
from local.model_server.formats import (
    anthropic,
    azure_content_safety,
    cohere,
    gemini,
    google_images,
    google_translate,
    huggingface,
    mistral,
    openai,
    openai_audio,
    openai_images,
    openai_more,
)
from local.model_server.odd.ordering import ordered


@dataclass(frozen=True)
class Endpoint:
    """What answers, and whose errors it speaks."""

    wire: Wire
    answer: Callable[[Request], Reply]


def _chat(form: Format) -> Endpoint:
    def answer(request: Request) -> Reply:
        ask = prose_only(form.read(request), request.orders)
        return ordered(form, request.orders) or form.write(request, ask, reply(ask, request.orders, request.work))

    return Endpoint(form, answer)


def _of_gemini(request: Request) -> Reply:
    return google_images.generate(request) if google_images.wanted(request) else _chat(gemini).answer(request)


_OPENAI = {
    "chat/completions": _chat(openai),
    "embeddings": Endpoint(openai, openai_more.embeddings),
    "images/generations": Endpoint(openai, openai_images.generate),
    "audio/speech": Endpoint(openai, openai_audio.speech),
    "audio/transcriptions": Endpoint(openai, openai_audio.transcription),
}
_POSTS = {
    **{f"/v1/{name}": endpoint for name, endpoint in _OPENAI.items()},
    **{f"/openai/v1/{name}": endpoint for name, endpoint in _OPENAI.items()},  # Azure's
    "/v1/moderations": Endpoint(openai, openai_more.moderations),
    "/mistral/v1/chat/completions": _chat(mistral),
    "/v1/messages": _chat(anthropic),
    "/v2/chat": _chat(cohere),
    "/v2/embed": Endpoint(cohere, cohere.embeddings),
}
_TRANSLATE = Endpoint(gemini, google_translate.translations)
_HUGGING_FACE = Endpoint(huggingface, huggingface.paint)
_BY_MODEL: dict[re.Pattern[str], dict[str, Endpoint]] = {
    re.compile(r"/v1(?:beta)?/models/(?P<model>[^/]+):(?P<action>\w+)"): {
        "generateContent": Endpoint(gemini, _of_gemini),
        "batchEmbedContents": Endpoint(gemini, gemini.embeddings),
        "predict": Endpoint(gemini, google_images.predict),
    },
    re.compile(r"/language/(?P<model>translate)/(?P<action>v2)"): {"v2": _TRANSLATE},
    re.compile(r"/contentsafety/(?P<model>text):(?P<action>\w+)"): {
        "analyze": Endpoint(azure_content_safety, azure_content_safety.analyze),
        "shieldPrompt": Endpoint(azure_content_safety, azure_content_safety.shield),
    },
    re.compile(r"/hf-inference/(?P<action>models)/(?P<model>.+)"): {"models": _HUGGING_FACE},
}
"""Where the path names the model."""


def find(path: str) -> tuple[Endpoint | None, str | None]:
    """What answers at a path, and the model's name where the path holds it."""
    for pattern, actions in _BY_MODEL.items():
        if found := pattern.fullmatch(path):
            return actions.get(found["action"]), found["model"]
    return _POSTS.get(path), None
