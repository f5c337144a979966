"""Clean-up of a text: thinking, a fence, blank lines."""

import re

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
    fenced = len(lines) > 1 and lines[0].startswith("```") and lines[-1].rstrip() == "```"
    if not fenced or any(line.lstrip().startswith("```") for line in lines[1:-1]):
        return text
    return "\n".join(lines[1:-1])


def with_single_blank_lines(text: str) -> str:
    """A text in which no blank line follows another."""
    lines = text.split("\n")
    kept = [line for at, line in enumerate(lines) if not at or line.strip() or lines[at - 1].strip()]
    return "\n".join(kept)
