"""The console's files: small, of this house alone, with all texts in one place and no way to markup."""

import gzip
import re

import pytest
from broker.console.serving import KINDS, STATIC

FILES = {each.name: each.read_text() for each in sorted(STATIC.iterdir())}
MODULES = {name: text for name, text in FILES.items() if name.endswith(".js")}

TOKENS = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?\*/)"
    r"|(?P<pattern>(?<=[(])/[^/\n]+/\w*)"
    r"|(?P<text>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)",
    re.S,
)
"""What is no code: comments, regular expressions and texts."""

NAMES = {"AbortError", "Bearer ", "Enter", "noopener noreferrer"}
"""Words that browsers and headers say."""


def code(text: str) -> str:
    """A module without its comments."""
    return TOKENS.sub(lambda found: "" if found["comment"] else found[0], text)


def literals(text: str) -> list[str]:
    """The texts that stand in a module, without what is put into them."""
    found = (each["text"][1:-1] for each in TOKENS.finditer(text) if each["text"])
    return [re.sub(r"\$\{[^}]*\}", "", each) for each in found]


def test_all_of_it_is_small() -> None:
    size = sum(len(gzip.compress(text.encode())) for text in FILES.values())
    assert size <= 150_000, f"{size} bytes compressed: too much for a first look"


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_loaded_from_elsewhere(name: str) -> None:
    assert not re.sub(r"http://www\.w3\.org/2000/svg", "", FILES[name]).count("//www"), name
    for address in re.findall(r"https?://[\w.]+", FILES[name]):
        assert address == "http://www.w3.org", f"{name} names {address}"


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize(
    "way",
    [
        *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "srcdoc", "createContextual"),
        *("eval(", "new Function", "setHTML", "javascript:", "import("),
        *("localStorage", "sessionStorage", "indexedDB", "document.cookie", "serviceWorker"),
    ],
)
def test_no_module_makes_markup_of_texts_or_keeps_anything(name: str, way: str) -> None:
    assert way not in code(MODULES[name]), f"{name} uses {way}"


@pytest.mark.parametrize("name", [name for name in MODULES if name != "texts.js"])
def test_all_texts_stand_in_one_file(name: str) -> None:
    for text in literals(MODULES[name]):
        if text not in NAMES:
            assert not re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", text), f"{name} says {text!r}: it belongs to texts.js"
            assert not re.fullmatch(r"[A-Z][a-z]+\W*", text), f"{name} says {text!r}"


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    page = FILES["index.html"]
    assert not re.search(r"<style|style=|\son\w+=", page)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.S) == [""]


def test_every_module_is_there_and_led_to() -> None:
    led_to = set(re.findall(r'(?:href|src)="console/([^"]+)"', FILES["index.html"]))
    for text in MODULES.values():
        led_to |= set(re.findall(r'(?:from|import) "\./([^"]+)"', text))
    assert led_to | {"index.html"} == FILES.keys()
    assert {f".{name.rpartition('.')[2]}" for name in FILES} <= KINDS.keys()


def test_a_way_of_texts_is_a_text() -> None:
    """What modules name of the texts is there."""
    roots = set(re.findall(r"^  (\w+)[:(]", MODULES["texts.js"], re.M))
    for name, text in MODULES.items():
        for root in re.findall(r"\bT\.(\w+)", code(text)):
            assert root in roots, f"{name} says T.{root}, which is not in texts.js"
