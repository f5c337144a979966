"""Pictures of Google's models: Gemini's own, and Imagen's.

Source: Gemini API, "Image generation" (`generateContent` with the modality `IMAGE`), "Imagen" (`predict`). Both are
told a ratio and choose the size. Gemini makes one picture for each request, Imagen up to four, and counts no tokens.

Options of a model: `family` where its name does not begin with it; `image` for further fields, of `imageConfig`
(`{"imageSize": "2K"}`) or of Imagen's `parameters`; for Gemini `safety_settings` as in a chat.
"""

from broker.errors import Refused
from broker.providers.gemini.format import BLOCKED, answered, facts, post, tokens
from broker.providers.wire import chat as chats
from broker.providers.wire import exchange, pictures
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.exchange import Json, bad, field
from broker.providers.wire.gathering import Part, gather

IMAGEN = "imagen"
MOST = 4
"""Pictures of Imagen's in one exchange."""

RATIOS = frozenset({"1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"})
RATIOS_OF_IMAGEN = frozenset({"1:1", "3:4", "4:3", "9:16", "16:9"})
KIND = "png"


def generate_image(call: Call) -> Answer:
    """Make `input.count` pictures of `input.text`; see `gathering.gather`."""
    kind = pictures.media_type(call, (KIND,))
    if str(call.options.get("family", call.model)).startswith(IMAGEN):
        return _imagen(call, kind)
    return _gemini(call, kind)


def _gemini(call: Call, kind: str) -> Answer:
    asked = {"contents": [{"role": "user", "parts": [{"text": pictures.prompt(call)}]}]}
    if "safety_settings" in call.options:
        asked["safetySettings"] = call.options["safety_settings"]
    ratio = pictures.ratio(call, RATIOS)
    shape: Json = ({"aspectRatio": ratio} if ratio else {}) | dict(call.options.get("image", {}))
    config: Json = {"responseModalities": ["IMAGE"]} | ({"imageConfig": shape} if shape else {})
    seed = chats.parameter(call, "seed")

    def paint(places: list[int], left: float) -> Part:
        chosen = {} if seed is None else {"seed": seed + places[0]}
        reply = post(call, "generateContent", {**asked, "generationConfig": config | chosen}, left)
        into, out = tokens(reply)
        try:
            _, parts, _ = answered(reply)
        except Refused as error:
            if error.code == BLOCKED:  # no other picture of it will pass
                raise
            return Part((), 1, into or 0, out or 0, facts(reply))
        files = [pictures.made(field(part, "inlineData", "data"), kind) for part in parts if "inlineData" in part]
        return Part(files, 0, into or 0, out or 0, facts(reply))

    return gather(call, 1, paint)


def _imagen(call: Call, kind: str) -> Answer:
    instance = {"prompt": pictures.prompt(call)}
    ratio = pictures.ratio(call, RATIOS_OF_IMAGEN)
    more: Json = ({"aspectRatio": ratio} if ratio else {}) | dict(call.options.get("image", {}))

    def paint(places: list[int], left: float) -> Part:
        asked = {"instances": [instance], "parameters": {"sampleCount": len(places), **more}}
        reply = post(call, "predict", asked, left)
        if not isinstance(reply.body, dict):
            bad("The provider's reply has no pictures.")
        rows = reply.body.get("predictions", [])  # not there where all were held back
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            bad("The provider's reply has a picture that is none.")
        shown = [row for row in rows if not row.get("raiFilteredReason")]
        files = [pictures.made(row.get("bytesBase64Encoded"), kind) for row in shown]
        return Part(files, max(0, len(places) - len(shown)), exchange.used(None, instance["prompt"]))

    return gather(call, pictures.at_once(call, MOST), paint)
