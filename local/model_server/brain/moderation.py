"""Moderation by word lists: enough to show a flag and to pass what is harmless, not a judgement."""

import math
import re

from local.model_server.brain.text import READ_CHARS

# The patterns are few and plain on purpose: tests and demonstrations must be able to trip each with a decent sentence.
_PATTERNS: dict[str, str] = {
    "harassment": r"you(?:'re| are) (?:an? )?(?:stupid|worthless|idiot|pathetic|moron|disgusting)|shut up",
    "harassment/threatening": r"i(?:'ll| will|(?:'m| am) going to) (?:hurt|kill|find|beat|destroy) (?:you|him|her)",
    "hate": r"(?:i hate|we hate|death to) (?:all )?(?:immigrants|foreigners|jews|muslims|christians|women|gays)",
    "hate/threatening": r"(?:kill|exterminate|eradicate) all (?:immigrants|foreigners|jews|muslims|christians|women)",
    "illicit": r"(?:cook|make|buy|sell) (?:meth|cocaine|heroin|fake passports|counterfeit)|launder money|pick a lock",
    "illicit/violent": r"(?:build|make|buy) (?:an? )?(?:pipe )?(?:bomb|explosives?|ghost gun|nerve agent)",
    "self-harm": r"suicid\w*|self[- ]harm|cut(?:ting)? myself|kill(?:ing)? myself",
    "self-harm/intent": r"i (?:want|am going|plan) to (?:die|kill myself|end my life|cut myself)",
    "self-harm/instructions": r"(?:how (?:to|do i|can i)|best way to) (?:commit suicide|kill myself|end my life)",
    "sexual": r"porn\w*|explicit sex|nude photos|erotic\w*",
    "sexual/minors": r"(?:sexual|nude|erotic|porn\w*)\b.{0,40}\b(?:minors?|child|children|underage)",
    "violence": r"(?:kill|murder|stab|shoot|behead|strangle)(?:s|ed|ing)? (?:him|her|them|you|people|everyone|someone)",
    "violence/graphic": r"(?:gore|dismember\w*|entrails|disembowel\w*|blood (?:spurt|gush)\w*)",
}
_COMPILED = {category: re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE) for category, pattern in _PATTERNS.items()}
CATEGORIES = tuple(_PATTERNS)
_QUIET = 0.0001


def scores(text: str) -> dict[str, float]:
    """Score every category from 0 to 1; one hit is above 0.8, more hits come nearer to 1."""
    text = text[:READ_CHARS]
    hits = {category: sum(1 for _ in pattern.finditer(text)) for category, pattern in _COMPILED.items()}
    return {category: round(1 - math.exp(-2.0 * count), 6) if count else _QUIET for category, count in hits.items()}
