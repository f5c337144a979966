"""Every call that OpenAI's package knows, by its own source, and which of them the REST API answers.

`python -m tests.contract.openai_paths` prints the table of docs/clients.md.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import openai
from broker.doors.unserved import CALLS, GROUPS
from broker.rest.api import ROUTES

CALL = re.compile(
    r"self\._(get|post|delete|put|patch|get_api_list)\(\s*(?:#[^\n]*\n\s*)?"  # which call
    r'(?:path_template\(\s*)?f?"([^"?]+)[^"]*"'  # to where; a query makes it no other
)
ANY_CALL = re.compile(r"self\._(?:get|post|delete|put|patch|get_api_list)\(")


def calls() -> set[tuple[str, str]]:
    """Method and path, with `{}` for each variable."""
    found = set()
    for method, path in _written():
        verb = "GET" if method == "get_api_list" else method.upper()
        found.add((verb, re.sub(r"\{[^}]*\}", "{}", path)))
    return found


def _written() -> Iterator[tuple[str, str]]:
    for source in (Path(openai.__file__).parent / "resources").rglob("*.py"):
        text = source.read_text()
        written = CALL.findall(text)
        assert len(written) == len(ANY_CALL.findall(text)), f"{source.name} calls in a way that is not read here"
        yield from written


def served() -> set[tuple[str, str]]:
    """The routes, in the same form."""
    return {(method, re.sub(r"\{[^}]*\}", "{}", path)) for method, path in ROUTES}


def unclassified() -> set[tuple[str, str]]:
    """Calls of which nobody said what becomes of them."""
    return {
        (method, path)
        for method, path in calls() - served()
        if (method, path) not in CALLS and path.split("/")[1] not in GROUPS
    }


def table() -> str:
    """The table, in Markdown."""
    known = calls()
    lines = ["| call | |", "|---|---|"]
    for method, path in sorted(known & served(), key=lambda call: (call[1], call[0])):
        lines.append(f"| `{method} /v1{path.replace('{}', '{id}')}` | works |")
    for (method, path), instead in CALLS.items():
        lines.append(f"| `{method} /v1{path.replace('{}', '{id}')}` | refused; {instead} |")
    for group, instead in sorted(GROUPS.items()):
        left = sorted(call for call in known - served() if call[1].split("/")[1] == group)
        if left:
            lines.append(f"| {'the rest of ' if _has_route(group) else ''}`/v1/{group}` | refused; {instead} |")
    return "\n".join(lines)


def _has_route(group: str) -> bool:
    return any(path.split("/")[1] == group for _, path in calls() & served())


if __name__ == "__main__":
    print(table())
