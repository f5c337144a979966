"""Single values taken from a text: what a field of that name, kind and description would hold."""

import math
import re
from collections.abc import Callable, Sequence

from local.model_server.brain.skills import fitting, keywords, mood, sentiment, summary
from local.model_server.brain.text import sentences, stems
from local.model_server.exchange import Json

_EMAIL = re.compile(r"(?<![\w.+\-])[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63})*\.[a-zA-Z]{2,24}\b")
_URL = re.compile(r"https?://[^\s\"'<>]*[\w/]")
_DATE = re.compile(r"\b\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])\b")
_TIME = re.compile(r"\b(?:[01]\d|2[0-3]):[0-5]\d\b")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w]|\.\d)")
_NAME = re.compile(r"\b[A-Z][\w'\u2019\-]{1,40}(?:\s{1,3}[A-Z][\w'\u2019\-]{1,40}){1,6}")
_DENIED = re.compile(r"\b(?:not?|never|without|isn't|doesn't|wasn't|don't)\b", re.IGNORECASE)
_NO_NUMBER = 1
_FORMS = {"duration": "P1D", "hostname": "example.com", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1"}


def spoken(name: str) -> str:
    """Part a field's name into words: ``orderNumber`` and ``order_number`` are ``order number``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-.]+", " ", name).strip().lower()


def _stated(name: str, text: str) -> str:
    """Find what the text itself states as ``name: value``, or as ``name is value``."""
    words = r"\W+".join(map(re.escape, spoken(name).split()))
    found = words and re.search(rf"\b{words}\b\s*(?::|=|#|\bis\b)\s*([^\n;]+)", text, re.IGNORECASE)
    return re.split(r"(?<!\d)[.,](?!\d)|[.,]\s|[.,]$", found.group(1).strip())[0].strip(" \"'") if found else ""


def phrases(name: str, text: str) -> list[str]:
    """Give a list of short texts for a field that asks for keywords, names or the like; none for other fields."""
    said = spoken(name)
    if re.search(r"\b(?:key ?words?|key ?phrases?|tags?|topics?|labels?|categories|themes?)\b", said):
        return keywords(text)
    if re.search(r"\b(?:entities|names|people|persons|organi[sz]ations|companies|places)\b", said):
        return list(dict.fromkeys(_NAME.findall(text)))
    return []


def string(name: str, about: str, text: str, found: Sequence[str], turn: int) -> str:
    """Give a text for a field: what is stated, what its name asks for, else the sentence that fits it best."""
    said = spoken(name)
    if turn:
        return found[turn % len(found)]
    if stated := _stated(name, text):
        return stated
    table: tuple[tuple[str, Callable[[], str]], ...] = (
        (r"summary|abstract|overview|tldr|synopsis", lambda: summary(text, 2)),
        (r"sentiment|mood|tone|polarity", lambda: mood(text)),
        (r"title|subject|headline|topic|keyword|tag|category|label", lambda: next(iter(keywords(text, 1)), "")),
        (r"e ?mail", lambda: _first(_EMAIL, text)),
        (r"url|link|website", lambda: _first(_URL, text)),
        (r"date|day", lambda: _first(_DATE, text)),
        (r"name|person|author|customer|company|sender", lambda: _first(_NAME, text)),
        (r"language|locale", lambda: "en"),
    )
    for pattern, find in table:
        if re.search(rf"\b(?:{pattern})\b", said) and (value := find()):
            return value
    return next(iter(fitting(about, found, 1)), found[0])


def _first(pattern: re.Pattern[str], text: str, fallback: str = "") -> str:
    match = pattern.search(text)
    return match.group() if match else fallback


def shaped(form: str, text: str, turn: int) -> str:
    """Give a text of one of JSON Schema's formats, from the text if it has one; empty for an unknown format."""
    match form:
        case "date":
            return _first(_DATE, text, "2026-01-01")
        case "time":
            return f"{_first(_TIME, text, '12:00')}:00Z"
        case "date-time":
            return f"{_first(_DATE, text, '2026-01-01')}T{_first(_TIME, text, '12:00')}:00Z"
        case "email":
            return _first(_EMAIL, text, "someone@example.com")
        case "uri":
            return _first(_URL, text, "https://example.com/")
        case "uuid":
            return f"00000000-0000-4000-8000-{turn:012d}"
    return _FORMS.get(form, "")


def truth(about: str, text: str) -> bool:
    """Tell whether the text speaks of the matter, in a sentence without a denial."""
    wanted = set(stems(about))
    return any(wanted & set(stems(part)) and not _DENIED.search(part) for part in re.split(r"[.!?\n]", text))


def number(schema: Json, name: str, about: str, text: str, turn: int, *, whole: bool) -> int | float:
    """Give a number within the bounds: what is stated under the name, else one that is near its words."""
    said = spoken(name)
    near = " ".join(fitting(about, sentences(text), 2))
    numbers = next(filter(None, (_numbers(each, schema, whole) for each in (_stated(name, text), near, text))), [])
    value = numbers[turn % len(numbers)] if numbers else float(_NO_NUMBER + turn)
    if re.search(r"\b(?:confidence|probability|certainty)\b", said):
        value = 0.9
    elif re.search(r"\b(?:sentiment|polarity)\b", said):
        value = sentiment(text)
    return _bounded(schema, value, whole)


def _numbers(text: str, schema: Json, whole: bool) -> list[float]:
    """Give the numbers in a text that need no bending."""
    found = [float(each.replace(",", "")) for each in _NUMBER.findall(text)]
    return [each for each in found if _bounded(schema, each, whole) == each]


def _bounded(schema: Json, value: float, whole: bool) -> int | float:
    step = schema.get("multipleOf") or (1 if whole else None)
    nudge = step or 0.001
    floors = [schema.get("minimum"), _shifted(schema.get("exclusiveMinimum"), nudge)]
    ceilings = [schema.get("maximum"), _shifted(schema.get("exclusiveMaximum"), -nudge)]
    least = max((each for each in floors if each is not None), default=None)
    most = min((each for each in ceilings if each is not None), default=None)
    value = value if most is None else min(value, most)
    value = value if least is None else max(value, least)
    if step:
        steps = math.floor(value / step)
        value = step * (steps if least is None or steps * step >= least else steps + 1)
    return int(value) if float(value).is_integer() else value


def _shifted(bound: object, by: float) -> float | None:
    return bound + by if isinstance(bound, int | float) and not isinstance(bound, bool) else None
