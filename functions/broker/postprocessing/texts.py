"""Clean-up of a text: thinking, a fence, blank lines."""

import re

_FENCE = re.compile(r"(`{3,})[^`]*|(~{3,}).*", re.DOTALL)
"""The line that begins one: CommonMark has no backticks behind backticks."""

_THINKING = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)


def without_thinking(text: str) -> str:
    """A text without what stands between `<think>` and `</think>` (or `thinking`), wherever it stands.

    Before an end whose beginning is missing all was thinking; after a beginning without its end, too.
    """
    kept: list[str] = []
    depth = begin = 0
    for mark in _THINKING.finditer(text):
        if not depth:
            kept.append(text[begin : mark.start()])
        if mark[1] and not depth:
            kept.clear()
        depth = max(depth - 1, 0) if mark[1] else depth + 1
        begin = mark.end()
    return "".join(kept) if depth else "".join(kept) + text[begin:]


def without_fence(text: str) -> str:
    """A text without the one code fence that stands around all of it."""
    lines = text.strip().split("\n")
    begins = _FENCE.fullmatch(lines[0])
    if begins is None or len(lines) < 2:
        return text
    fence = begins[1] or begins[2]
    ends = lines[-1].startswith(fence) and not lines[-1].strip(fence[0])
    if not ends or any(line.lstrip().startswith(fence) for line in lines[1:-1]):
        return text
    return "\n".join(lines[1:-1]).removesuffix("\r")


def with_single_blank_lines(text: str) -> str:
    """A text in which no blank line follows another."""
    lines = text.split("\n")
    kept = [line for at, line in enumerate(lines) if not at or line.strip() or lines[at - 1].strip()]
    return "\n".join(kept)
