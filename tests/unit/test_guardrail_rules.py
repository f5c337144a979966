"""The rules: what each finds, what it lets pass, and that no text makes them slow."""

import unicodedata
from collections.abc import Sequence

import pytest
from broker.guardrails import rules
from broker.guardrails.policy import Policy
from broker.guardrails.rules import Finding, Stage, blocks, check
from broker.guardrails.text_places import Joined, input_texts

VISA = "4111111111111111"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

SECRETS = {
    "AWS": "AKIA" + LETTERS[26:42].upper(),
    "AWS, temporary": "ASIA" + "Z9" * 8,
    "PEM": "-----BEGIN PRIVATE KEY-----",
    "PEM of OpenSSH": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "GitHub": "ghp_" + LETTERS[:36],
    "GitHub, fine-grained": "github_pat_" + LETTERS[:40],
    "OpenAI": "sk-proj-" + LETTERS[:20],
    "Stripe": "sk_live_" + LETTERS[:20],
    "Google": "AIza" + LETTERS[:35],
    "Slack": "xoxb-1234567890-abc",
    "Hugging Face": "hf_" + LETTERS[:30],
    "our own": "ib_" + LETTERS[:43] + "0123abcd",
}


def found(
    text: str | Sequence[str], *, stage: Stage = "input", policy: Policy | None = None, **settings: object
) -> list[tuple[str, str, int]]:
    texts = [text] if isinstance(text, str) else text
    placed = [(f"input.{number}", each) for number, each in enumerate(texts)]
    asked = policy or Policy(**settings)  # type: ignore[arg-type]
    return [(each.rule, each.action, each.count) for each in check(stage, placed, asked)]


def denied(text: str, *terms: str) -> int:
    counts = {rule: count for rule, _, count in found(text, denied_terms=terms)}
    return counts.get("denied_terms", 0)


def test_two_numbers_are_two() -> None:
    assert found(f"{VISA}, 3782 822463 10005") == [("card_numbers", "block", 2)]
    assert found(f"{VISA} 3782 822463 10005") == [("card_numbers", "block", 2)]


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_each_secret_is_found_by_its_prefix(secret: str) -> None:
    for text in (secret, f"key={secret}\n", f'{{"key": "{secret}"}}', f"({secret})"):
        assert found(text) == [("secrets", "block", 1)]


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_the_beginning_of_a_secret_is_none(secret: str) -> None:
    short = secret[:-10] if secret.startswith(("xox", "-----")) else secret[:-1]
    shorter = secret[: len("sk-") + 19] if secret.startswith("sk-") else short
    assert found(shorter) == []


@pytest.mark.parametrize(
    "text",
    [
        "XAKIA" + "A" * 16,
        "AKIA" + "A" * 17,
        "AKIA" + "a" * 16,
        "risk-" + "a" * 30,
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN " + "A" * 41 + "PRIVATE KEY-----",
        "sk_test_" + "a" * 30,
        "ib_" + "a" * 43 + "0123ABCD",
    ],
)
def test_what_only_looks_like_a_secret_is_let_pass(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "bluebird",
        "Our BlueBird!",
        "(bluebird)",
        "blue\u200bbird",
        "blue\u00adbird",
        "\ufeffbluebird",
        "blue\u2066bird\u2069",
        "blue\u202ebird",
        "blue\ufe0fbird",
        "blue\U000e0041bird",
        "ｂｌｕｅｂｉｒｄ",  # noqa: RUF001 - the full-width form of it
        "𝐛𝐥𝐮𝐞𝐛𝐢𝐫𝐝",  # noqa: RUF001 - and the mathematical one
    ],
)
def test_a_denied_term_is_found_as_a_reader_would(text: str) -> None:
    assert denied(text, "Bluebird") == 1


@pytest.mark.parametrize("text", ["bluebirds", "xbluebird", "blue bird", "blue_bird", "bluebird_2", "blue-bird"])
def test_a_denied_term_is_a_whole_word(text: str) -> None:
    assert denied(text, "bluebird") == 0


@pytest.mark.parametrize("text", ["project x", "Project\n\tX", "PROJECT\u00a0 X", "project\u3000x,"])
def test_a_phrase_has_any_white_space(text: str) -> None:
    assert denied(text, "project  X") == 1


@pytest.mark.parametrize(
    ("text", "term", "count"),
    [
        ("C++ and c++.", "C++", 2),
        ("C++11", "C++", 0),
        ("STRASSE", "Straße", 1),
        ("cafe\u0301", "café", 1),
        ("cafe\u200b\u0301", "café", 1),
        ("cafe", "café", 0),
        ("a.c abc", "a.c", 1),
        ("foo foobar", "foo", 1),
        ("anything", "", 0),
        ("any thing", " \u200b ", 0),
    ],
)
def test_terms_are_text_and_no_pattern(text: str, term: str, count: int) -> None:
    assert denied(text, term) == count
    assert denied(text, term, "something else") == count


def test_what_blocks_and_what_is_noted() -> None:
    text = f"{VISA} {SECRETS['AWS']} bluebird"
    strict = Policy(denied_terms=("bluebird",))
    assert {action for _, action, _ in found(text, policy=strict)} == {"block"}
    lenient = Policy(denied_terms=("bluebird",), block_secrets=False, block_card_numbers=False)
    assert found(text, policy=lenient) == [
        ("denied_terms", "block", 1),
        ("secrets", "note", 1),
        ("card_numbers", "note", 1),
    ]
    assert found("nothing", policy=strict) == []


def test_a_finding_counts_over_all_texts_and_names_the_first() -> None:
    texts = [("input.a", "fine"), ("input.b", VISA), ("input.c", f"{VISA}; {VISA}")]
    (finding,) = check("output", texts, Policy())
    assert finding == Finding("output", "card_numbers", "block", 3, "input.b")
    assert VISA not in str(finding.to_dict())
    assert blocks([finding]) and not blocks([]) and not blocks([Finding("input", "secrets", "note", 1, "x")])


@pytest.mark.parametrize(("texts", "passes"), [(["abcde", "fghij"], True), (["abcde", "fghijk"], False)])
def test_a_request_has_a_size(texts: list[str], passes: bool) -> None:
    assert found(texts, max_input_chars=10) == ([] if passes else [("max_input_chars", "block", 11)])
    assert found(texts, max_input_chars=10, stage="output") == []


def test_the_parts_of_a_message_count_once_for_its_size() -> None:
    parts = [{"type": "text", "text": "abcde"}, {"type": "text", "text": "fghij"}]
    texts = [(place, text) for place, text in input_texts({"input": {"text": parts}}) if text != "text"]
    assert [type(text) for _, text in texts] == [Joined, str, str]
    assert check("input", texts, Policy(max_input_chars=10)) == []


@pytest.mark.parametrize(
    "text",
    [
        "1 " * 50_000,
        "4 " * 50_000,
        "4" * 300_000,
        "4111 1111 1111 1112 " * 20_000,
        "-----BEGIN " * 100_000,
        "-----BEGIN" + " A" * 500_000,
        "sk-" * 300_000,
        "AKIA" * 250_000,
        "blue " * 200_000,
        " \u200b" * 500_000,
        "a" + "\u0301" * 400_000 + "\u0323" * 400_000,  # sorting these marks would take many minutes
        "a" + "\u0301\uff9e" * 300_000,
        "\ufdfa" * 100_000,
    ],
    ids=range(13),
)
def test_hostile_texts_come_to_an_end(text: str) -> None:
    assert {rule for rule, _, _ in found(text, denied_terms=("blue bird", "x"))} <= {"card_numbers", "secrets"}


def test_every_mark_is_kept_from_long_runs() -> None:
    everything = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    marks = [char for char in everything if unicodedata.combining(unicodedata.normalize("NFKD", char)[0])]
    assert len(marks) > 900
    assert [char for char in marks if not rules.MARKS.fullmatch(char * 30)] == []
