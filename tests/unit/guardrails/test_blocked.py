"""What an end user is told of a job that was blocked."""

import pytest
from broker.guardrails.blocked import _languages, sentence
from broker.guardrails.checks import CHECKS, SIZE


def test_it_says_what_in_one_sentence() -> None:
    assert sentence("input", ["card_numbers"]) == (
        "Your request was not passed on, because it contains a payment card number."
    )
    assert sentence("output", ["secrets", "personal_data", "links"], "de-CH") == (
        "Die Antwort wird nicht angezeigt, denn sie enthält ein Passwort oder einen Schlüssel, personenbezogene Daten "
        "und einen Link, der hier nicht erlaubt ist."
    )
    assert sentence("input", ["denied_patterns", "a rule to come"]).count("not allowed") == 1


def test_an_unknown_language_is_told_in_english() -> None:
    assert sentence("input", ["secrets"], "tlh") == sentence("input", ["secrets"])


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "pt", "it", "nl"])
def test_every_rule_has_words_in_every_language(language: str) -> None:
    words = _languages()[language]
    assert {*CHECKS, SIZE, "input", "output", "and", "other"} <= words.keys()
    assert words.keys() == _languages()["en"].keys()
    assert all(words[stage].count("{what}") == 1 for stage in ("input", "output"))
