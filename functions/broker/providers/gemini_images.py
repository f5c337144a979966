"""Pictures of Google's models: Gemini's own, and Imagen's.

Source: Gemini API, "Image generation" (`generateContent` with the modality `IMAGE`), "Imagen" (`predict`). Both are
told a ratio and choose the size. Gemini makes one picture for each request, Imagen up to four, and counts no tokens.

Options of a model: `family` where its name does not begin with it; `image` for further fields, of `imageConfig`
(`{"imageSize": "2K"}`) or of Imagen's `parameters`; for Gemini `safety_settings` as in a chat.
"""

from broker.errors import Refused
from broker.providers import exchange, pictures
from broker.providers.base import Answer, Blob, Call
from broker.providers.batches import in_batches
from broker.providers.exchange import Json, bad, field
from broker.providers.gemini_format import BLOCKED, answered, facts, post, tokens
from broker.providers.http import Reply

IMAGEN = "imagen"
MOST = 4
"""Pictures of Imagen's in one exchange."""

RATIOS = frozenset({"1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"})
RATIOS_OF_IMAGEN = frozenset({"1:1", "3:4", "4:3", "9:16", "16:9"})
KIND = "png"


def generate_image(call: Call) -> Answer:
    """Make `input.count` pictures of `input.text`.

    Returns:
        `{"count"}`, and `filtered` where some were held back; units are `images`.

    Raises:
        Refused: all were held back.
        BrokerError: by `Provider`.
    """
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
    seed = call.parameters.get("seed")

    def ask(places: list[int], left: float) -> Reply:
        chosen = {} if seed is None else {"seed": seed + places[0]}
        return post(call, "generateContent", {**asked, "generationConfig": config | chosen}, left)

    files: list[Blob] = []
    filtered, into, out = 0, 0, 0
    told: dict[str, str] = {}
    for reply in in_batches(pictures.places(call), 1, call.timeout, ask):
        try:
            _, parts = answered(reply)
        except Refused as error:
            if error.code == BLOCKED:  # no other picture of it will pass
                raise
            filtered += 1
            parts = []
        files += [pictures.made(field(part, "inlineData", "data"), kind) for part in parts if "inlineData" in part]
        counts = tokens(reply)
        into, out, told = into + (counts[0] or 0), out + (counts[1] or 0), facts(reply)
    return _answer(files, filtered, told, into, out)


def _imagen(call: Call, kind: str) -> Answer:
    instance = {"prompt": pictures.prompt(call)}
    ratio = pictures.ratio(call, RATIOS_OF_IMAGEN)
    more: Json = ({"aspectRatio": ratio} if ratio else {}) | dict(call.options.get("image", {}))

    def ask(places: list[int], left: float) -> tuple[int, Reply]:
        asked = {"instances": [instance], "parameters": {"sampleCount": len(places), **more}}
        return len(places), post(call, "predict", asked, left)

    files: list[Blob] = []
    filtered = 0
    for count, reply in in_batches(pictures.places(call), pictures.at_once(call, MOST), call.timeout, ask):
        if not isinstance(reply.body, dict):
            bad("The provider's reply has no pictures.")
        rows = reply.body.get("predictions", [])  # not there where all were held back
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            bad("The provider's reply has a picture that is none.")
        shown = [row for row in rows if not row.get("raiFilteredReason")]
        files += [pictures.made(row.get("bytesBase64Encoded"), kind) for row in shown]
        filtered += max(0, count - len(shown))
    return _answer(files, filtered, {}, exchange.used(None, instance["prompt"]), 0)


def _answer(files: list[Blob], filtered: int, told: dict[str, str], into: int, out: int) -> Answer:
    if not files and filtered:
        raise Refused("The model's content filters held the pictures back.", code="content_filtered", maybe_paid=True)
    if not files:
        bad("The model's reply has no pictures.", code="empty_answer")
    output: Json = {"count": len(files)} | ({"filtered": filtered} if filtered else {})
    return Answer(
        output,
        input_tokens=into,
        output_tokens=out,
        facts=told,
        units={"images": len(files)},
        files=tuple(files),
    )
