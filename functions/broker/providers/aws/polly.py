"""Amazon Polly: texts as speech.

Source: Amazon Polly Developer Guide, `SynthesizeSpeech`, "Available voices" and "Quotas". The model's name is the
engine. Longer texts than a request takes are split at sentences and the sounds joined, rather than left to the
service's own asynchronous task: that would write to a bucket of ours by itself, and keep a job waiting for seconds of
work.
"""

import io
import re
import wave
from dataclasses import dataclass

from broker.errors import ContextExceeded, Rejected
from broker.providers.aws.client import Json, MakeClient, Row, make_client
from broker.providers.aws.service import AwsService, Exchange, bad, only_text, primary
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.chunking import split
from broker.providers.wire.exchange import unsupported_task

MOST_BYTES = 3_000
"""Of one request: its limit is in characters, of which no text has more than bytes."""
PCM_HERTZ = 16_000


@dataclass(frozen=True, slots=True)
class _Format:
    """What the service calls it, what it is, and whether sounds can be joined end to end."""

    name: str
    media_type: str
    joins: bool


FORMATS = {
    "mp3": _Format("mp3", "audio/mpeg", True),
    "pcm": _Format("pcm", "audio/pcm", True),
    "wav": _Format("pcm", "audio/wav", True),
    "ogg": _Format("ogg_vorbis", "audio/ogg", False),
    "opus": _Format("ogg_opus", "audio/ogg", False),
}
"""By the request's word."""

VOICES = {
    **{"ar": "Hala", "ca": "Arlet", "da": "Sofie", "de": "Vicki", "en": "Joanna", "es": "Lupe", "fi": "Suvi"},
    **{"fr": "Lea", "hi": "Kajal", "it": "Bianca", "ja": "Takumi", "ko": "Seoyeon", "nb": "Ida", "nl": "Laura"},
    **{"no": "Ida", "pl": "Ola", "pt": "Camila", "sv": "Elin", "tr": "Burcu", "zh": "Zhiyu"},
    **{"de-at": "Hannah", "en-au": "Olivia", "en-gb": "Amy", "en-in": "Kajal", "es-es": "Lucia", "es-mx": "Mia"},
    **{"fr-ca": "Gabrielle", "pt-pt": "Ines"},
}
"""Who speaks a language where nobody is named; all of them have the neural engine."""

ERRORS: dict[str, Row] = {
    "EngineNotSupportedException": (Rejected, "has no such voice in this quality"),
    "LanguageNotSupportedException": (Rejected, "does not speak this language with this voice"),
    "InvalidSampleRateException": (Rejected, "does not accept the request"),
}


class Polly:
    """See `base.Provider`. An option of a model: `voice` where the request names none."""

    tasks = frozenset({"speak"})

    def __init__(self, make: MakeClient = make_client) -> None:
        self._service = AwsService("polly", "Polly", ERRORS, make)

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        if call.task not in self.tasks:
            raise unsupported_task()
        wanted = call.input.get("format") or "mp3"
        if wanted not in FORMATS:
            message = f"The format has to be one of {', '.join(FORMATS)}."
            raise Rejected(message, code="unsupported_format", param="input.format")
        form, voice = FORMATS[wanted], _voice(call)
        parts = [part for _, part in split(only_text(call), MOST_BYTES)]
        if len(parts) > 1 and not form.joins:
            message = f"A text of more than {MOST_BYTES} bytes cannot become {wanted}."
            raise ContextExceeded(message, code="text_too_long")
        asked: Json = {"Engine": call.model, "VoiceId": voice, "OutputFormat": form.name, "TextType": "text"}
        if form.name == "pcm":
            asked["SampleRate"] = str(PCM_HERTZ)
        exchange = Exchange(self._service, call)
        sounds, characters = [], 0
        for part in parts:
            reply = exchange.ask("synthesize_speech", Text=part, **asked)
            sounds.append(exchange.read(reply.get("AudioStream")))
            billed = reply.get("RequestCharacters")
            characters += billed if type(billed) is int and billed >= 0 else len(part)
            if not sounds[-1]:
                bad("The service's sound is empty.", code="empty_answer")
        sound = b"".join(sounds)
        blob = Blob(_waved(sound) if wanted == "wav" else sound, form.media_type)
        return exchange.answer({"voice": voice, "format": wanted}, units={"characters": characters}, files=(blob,))


def _voice(call: Call) -> str:
    if named := call.input.get("voice") or call.options.get("voice"):
        if not re.fullmatch("[A-Za-z]{1,32}", str(named)):
            raise Rejected("There is no such voice.", code="unsupported_voice", param="input.voice")
        return str(named)
    language = call.input.get("source_language") or "en"
    voice = VOICES.get(language.lower()) or VOICES.get(primary(language))
    if voice is None:
        message = "Nobody is known who speaks this language; name a voice."
        raise Rejected(message, code="unsupported_language", param="input.source_language")
    return voice


def _waved(samples: bytes) -> bytes:
    """16-bit samples of one channel as a WAV file."""
    made = io.BytesIO()
    with wave.open(made, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(PCM_HERTZ)
        out.writeframes(samples)
    return made.getvalue()
