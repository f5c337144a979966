"""Every call that Anthropic's package knows, by its own source, and which of them the REST API answers.

`python -m tests.contract.anthropic_paths` prints the table of docs/clients.md.
"""

import re
from pathlib import Path

import anthropic
from broker.doors.unserved import ANTHROPIC_GROUPS
from broker.rest.api import ROUTES

from tests.contract.openai_paths import ANY_CALL, CALL

RESULTS = re.compile(r"self\._get\(\s*path_template\(batch\.results_url,")
"""A call to where a reply says."""


def calls() -> set[tuple[str, str]]:
    """Method and path, with `{}` for each variable; a call that is in beta has the path of the one that is not."""
    found = set()
    for source in (Path(anthropic.__file__).parent / "resources").rglob("*.py"):
        text = source.read_text()
        written = CALL.findall(text)
        known = len(written) + len(RESULTS.findall(text))
        assert known == len(ANY_CALL.findall(text)), f"{source.name} calls in a way that is not read here"
        for method, path in written:
            verb = "GET" if method == "get_api_list" else method.upper()
            found.add((verb, re.sub(r"\{[^}]*\}", "{}", path)))
    return found


def served() -> set[tuple[str, str]]:
    """The routes, in the same form."""
    return {(method, f"/v1{re.sub('{[^}]*}', '{}', path)}") for method, path in ROUTES}


def unclassified() -> set[tuple[str, str]]:
    """Calls of which nobody said what becomes of them."""
    left = calls() - served()
    return {(method, path) for method, path in left if path.split("/")[2] not in ANTHROPIC_GROUPS}


def table() -> str:
    """The table, in Markdown."""
    lines = ["| call | |", "|---|---|"]
    for method, path in sorted(calls() & served(), key=lambda call: (call[1], call[0])):
        lines.append(f"| `{_shown(method, path)}` | works |")
    lines.append("| `GET {results_url}` | works |")
    lines += [f"| `/v1/{group}` | refused; {instead} |" for group, instead in sorted(ANTHROPIC_GROUPS.items())]
    return "\n".join(lines)


def _shown(method: str, path: str) -> str:
    return f"{method} {path.replace('{}', '{id}')}"


if __name__ == "__main__":
    print(table())
