"""Markup of an answer that does something where it is shown: scripts, forms, and pictures that carry data away."""

import re
from collections.abc import Iterator

from broker.guardrails.checks.base import About
from broker.guardrails.checks.links import ATTRIBUTE, is_listed, without_gaps
from broker.guardrails.spans import Span

ACTIVE = re.compile(
    r"<\s{0,8}/?\s{0,8}(?:script|iframe|object|embed|applet|form|meta|base|link|style|svg|math|template)\b[^>]{0,2000}>?",
    re.IGNORECASE,
)
"""Elements that run, load or send something."""

HANDLER = re.compile(r"[\s/\"']on[a-z]{3,30}\s{0,8}=", re.IGNORECASE)
"""Makes any element run something."""

SPACE = r"[\t\r\n]{0,2}"
"""Browsers leave it out of addresses."""

SCRIPT_URL = re.compile(
    rf"\b(?:{SPACE.join('java')}|{SPACE.join('vb')}){SPACE}{SPACE.join('script')}\s{{0,8}}:|\bdata:text/html",
    re.IGNORECASE,
)

BACKGROUND = re.compile(r"url\(\s{0,8}[\"']?((?:https?:[/\\]|[/\\]{2})[^)\s\"']{1,2048})\)?", re.IGNORECASE)

IMAGE = re.compile(r"<(?:img|image|source|video|audio|input)\b", re.IGNORECASE)
SOURCE = re.compile(
    r"\b(?:src(?:set)?|href|poster)\s{0,8}=\s{0,8}[\"']?((?:https?:[/\\]|[/\\]{2})[^\s\"'>]{1,2048})", re.IGNORECASE
)

LABEL_END = re.compile(r"\](\(\s{0,8}<?((?:https?:[/\\]|[/\\]{2})[^\s)>]{1,2048})|\[[^\]\n]{0,100}\])")
"""Of a link of Markdown; of a picture where an exclamation mark begins it."""

LONGEST_TAG = 1000


class Markup:
    """A picture is fetched when the answer is shown: its address carries what the model was told to put there.

    Those of the rule's domains are none.
    """

    version = "1"
    threshold = 0.0
    reads_original = False

    def find(self, text: str, about: About) -> Iterator[Span]:
        """See `Check.find`."""
        for found in SCRIPT_URL.finditer(text):
            yield Span(*found.span(), "script_url")
        domains = about.rule.domains
        if "<" in text:
            for found in ACTIVE.finditer(text):
                yield Span(*found.span(), "active_html")
            yield from _handlers(text)
            yield from _images(text, domains)
        for found in BACKGROUND.finditer(text):
            if not is_listed(found.group(1), domains):
                yield Span(*found.span(), "remote_picture")
        if "![" in text:
            yield from _pictures(text, domains)


def _handlers(text: str) -> Iterator[Span]:
    last = 0
    for found in HANDLER.finditer(text):
        begin = text.rfind("<", max(last, found.start() - LONGEST_TAG), found.start())
        if begin < 0 or not text[begin + 1].isalpha() or ">" in text[begin : found.start()]:
            continue
        if ACTIVE.match(text, begin):
            continue  # told already
        last = found.end() + text[found.end() : found.end() + LONGEST_TAG].find(">") + 1
        yield Span(begin, max(last, found.end()), "active_html")


def _images(text: str, domains: tuple[str, ...]) -> Iterator[Span]:
    last = 0
    for found in IMAGE.finditer(text):
        if found.start() < last:
            continue
        last = text.find(">", found.end(), found.end() + LONGEST_TAG) + 1
        source = SOURCE.search(ATTRIBUTE.sub(without_gaps, text[found.end() : last]))
        if source and not is_listed(source.group(1), domains):
            yield Span(found.start(), last, "remote_picture")


def _pictures(text: str, domains: tuple[str, ...]) -> Iterator[Span]:
    last = 0
    for found in LABEL_END.finditer(text):
        begin = text.rfind("![", max(last, found.start() - LONGEST_TAG), found.start())
        if begin < 0 or "]" in text[begin : found.start()]:
            continue
        last = found.end()
        address = found.group(2)
        if address is None or not is_listed(address, domains):
            yield Span(begin, last, "remote_picture")
