"""What can be done with a text: sum it up, name its keywords, its sentiment, its label, find what fits a question."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from local.model_server.brain.text import sentences, stem, stems, stop_words
from local.model_server.brain.vectors import embed, similarity

_RUN = re.compile(r"[^\W\d_][\w'\u2019\-]*")
_LONGEST_PHRASE = 3
_NEUTRAL = 0.05
_analyser = cache(SentimentIntensityAnalyzer)
_MOODS = {
    "positive": ("positive", "pos", "good", "happy", "favorable", "favourable", "praise"),
    "negative": ("negative", "neg", "bad", "angry", "unhappy", "unfavorable", "complaint"),
    "neutral": ("neutral", "neither", "none", "mixed"),
}


def summary(text: str, count: int = 3) -> str:
    """Give the sentences that say most of what the text says, in the text's order."""
    found = sentences(text)
    weights = Counter(stems(text))

    def weight(index: int) -> float:
        own = stems(found[index])
        # The square root keeps long sentences from winning by length alone; early ones mostly say what it is about.
        return sum(weights[each] for each in set(own)) / math.sqrt(len(own) + 4) * (1.2 if index == 0 else 1)

    best = sorted(range(len(found)), key=lambda index: (-weight(index), index))[:count]
    return " ".join(found[index] for index in sorted(best))


def keywords(text: str, count: int = 5) -> list[str]:
    """Give the phrases of up to three words whose words occur most, best first, as first written."""
    frequency = Counter(stems(text))
    scores: dict[tuple[str, ...], float] = {}
    written: dict[tuple[str, ...], str] = {}
    for sentence in sentences(text):
        for phrase in _phrases(sentence):
            key = tuple(stem(word.lower()) for word in phrase)
            written.setdefault(key, " ".join(phrase))
            scores[key] = scores.get(key, 0) + sum(frequency[each] for each in key) / len(key) ** 0.5
    chosen: list[tuple[str, ...]] = []
    for key in sorted(scores, key=lambda each: -scores[each]):
        if not any(set(key) & set(other) for other in chosen):
            chosen.append(key)
        if len(chosen) == count:
            break
    return [written[key] for key in chosen]


def _phrases(sentence: str) -> list[list[str]]:
    """Cut a sentence at its stop words and marks, as RAKE does."""
    phrases: list[list[str]] = [[]]
    end = 0
    for found in _RUN.finditer(sentence):
        word, together = found.group(), not sentence[end : found.start()].strip()
        end = found.end()
        if word.lower() in stop_words():
            phrases.append([])
        elif together and len(phrases[-1]) < _LONGEST_PHRASE:
            phrases[-1].append(word)
        else:
            phrases.append([word])
    return [phrase for phrase in phrases if phrase]


def sentiment(text: str) -> float:
    """Give the mood from -1 to 1: the mean over the first 500 sentences that have one."""
    moods = [float(_analyser().polarity_scores(sentence)["compound"]) for sentence in sentences(text)[:500]]
    felt = [mood for mood in moods if abs(mood) >= _NEUTRAL]
    return round(sum(felt) / len(felt), 4) if felt else 0.0


def mood(text: str) -> str:
    """Name the mood."""
    value = sentiment(text)
    return "positive" if value >= _NEUTRAL else "negative" if value <= -_NEUTRAL else "neutral"


def about_mood(labels: Sequence[str]) -> bool:
    """Tell whether the labels are names of moods."""
    known = {word for names in _MOODS.values() for word in names}
    return len(labels) > 1 and sum(label.lower() in known for label in labels) > 1


def choose(text: str, labels: Sequence[str]) -> str:
    """Give the label that fits the text best; the first of those that fit alike."""
    if about_mood(labels):
        names = _MOODS[mood(text)]
        return next((label for label in labels if label.lower() in names), labels[0])
    counts = Counter(stems(text))
    vector = embed(text)

    def fit(label: str) -> float:
        spoken = re.sub(r"(?<=[a-z])(?=[A-Z])|[_\-]", " ", label)
        return sum(counts[each] for each in stems(spoken)) + similarity(embed(spoken or "-"), vector)

    return max(labels, key=fit)


def fitting(question: str, found: Sequence[str], count: int = 2) -> list[str]:
    """Give the sentences that share most words with the question, best first; none if none shares any."""
    asked = set(stems(question))
    spread = Counter(each for sentence in found for each in set(stems(sentence)))

    def fit(sentence: str) -> float:
        return sum(1 / spread[each] for each in asked & set(stems(sentence)))

    scored = [(fit(sentence), -index, sentence) for index, sentence in enumerate(found)]
    return [sentence for score, _, sentence in sorted(scored, reverse=True)[:count] if score > 0]
