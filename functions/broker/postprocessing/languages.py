"""Which language a text is in, as far as its script and its commonest words tell.

It knows the languages of `WORDS` by words that are common in them and rare in the others, and those of `SCRIPTS` by
their letters. It says something only where a text is long and plain enough; so a short answer, one of names, numbers or
code, and one in a language that it does not know, is in none that would be wrong.
"""

import re
from collections import Counter
from collections.abc import Collection

WORDS: dict[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the and of to is that it for was with are this have not be from you they which would there their what",
        "de": "der die und das ist nicht ein eine mit von zu auf für dem den sich auch wird werden sind oder bei aus",
        "fr": "le les des et est une dans que qui pour pas sur avec plus sont ce cette nous vous aux du au il elle",
        "es": "el los las y es una que en por con para del se más como pero este esta son al lo sus también hay",
        "pt": "o os as e é um uma que em por com para do da não se mais como mas dos das são ao seu também há",
        "it": "il gli e è una che di per con non del della sono più come ma dei nel alla questo anche si lo le",
        "nl": "de het een en is van dat niet met voor op te zijn aan ook door bij maar naar wordt deze er uit",
        "pl": "i w się na nie jest to że z do jak za od po jest są przez dla oraz być który może tylko",
        "sv": "och att det som en är på för av med till den inte har de ett om var från eller kan vid så",
        "da": "og at det som en er på for af med til den ikke har de et om var fra eller kan ved så jeg",
        "tr": "ve bir bu için ile da de çok olarak daha gibi olan kadar sonra ne var değil ama her en",
        "ru": "и в не на что с как это по для от из но он она они его был было также или при",
        "uk": "і в не на що з як це для від із але він вона вони його був було також або при та",
    }.items()
}
"""By language, without case."""

SCRIPTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("kana", "\u3040-\u30ff", ("ja",)),
    ("hangul", "\uac00-\ud7a3\u1100-\u11ff", ("ko",)),
    ("han", "\u3400-\u9fff", ("zh", "ja")),
    ("greek", "\u0370-\u03ff", ("el",)),
    ("hebrew", "\u0590-\u05ff", ("he",)),
    ("arabic", "\u0600-\u06ff", ("ar",)),
    ("devanagari", "\u0900-\u097f", ("hi",)),
    ("thai", "\u0e00-\u0e7f", ("th",)),
    ("cyrillic", "\u0400-\u04ff", ("ru", "uk")),
    ("latin", "A-Za-z\u00c0-\u024f", ("en", "de", "fr", "es", "pt", "it", "nl", "pl", "sv", "da", "tr")),
)
"""Name, letters, and the languages that are told by it. A script of several languages is told apart by `WORDS`."""

KNOWN = tuple(dict.fromkeys(language for _, _, languages in SCRIPTS for language in languages))

MOST_READ = 20_000
"""Characters: the beginning tells."""

FEWEST_LETTERS = 12
"""Of a text that is judged by its script."""

FEWEST_COMMON = 4
"""Common words of a language that a text has to have to be in it."""

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", re.DOTALL)
_LETTERS = re.compile("|".join(f"(?P<{name}>[{letters}]+)" for name, letters, _ in SCRIPTS))
_WORD = re.compile(r"[^\W\d_]+")


def other_than(asked: Collection[str], text: str) -> str | None:
    """The language, or script, that a text is plainly in, where it is none of those that are asked for; else None."""
    text = _CODE.sub(" ", text[:MOST_READ])
    letters: Counter[str] = Counter()
    for found in _LETTERS.finditer(text):
        letters[str(found.lastgroup)] += len(found[0])
    if letters["kana"] * 10 > letters["han"]:  # Japanese has both, and each of them says as much as several letters
        letters["kana"] += letters.pop("han", 0)
    if not letters or letters.total() < FEWEST_LETTERS:
        return None
    script, most = letters.most_common(1)[0]
    languages = next(known for name, _, known in SCRIPTS if name == script)
    fits = [each for each in languages if each in asked]
    if 2 * most <= letters.total():
        return None
    if not fits:
        return languages[0] if len(languages) == 1 else f"{script} script"
    told = [each for each in languages if each in WORDS]
    return _by_words(told, fits, text) if len(told) > len(fits) else None


def _by_words(told: Collection[str], fits: Collection[str], text: str) -> str | None:
    words = Counter(_WORD.findall(text.casefold()))
    score = {language: sum(words[word] for word in WORDS[language]) for language in told}
    best = max(score, key=lambda each: score[each])
    ours = max(score[each] for each in fits)
    return best if score[best] >= FEWEST_COMMON and score[best] > 2 * ours else None
