"""A page of the OpenAPI document: plain HTML with one sheet of styles, without a script or anything from afar."""

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

Json = dict[str, Any]

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 0 1rem 4rem; }
a { color: inherit; } a:focus-visible { outline: 3px solid #48f; outline-offset: 2px; }
.skip { position: absolute; left: -999rem; } .skip:focus { position: static; }
nav ul { columns: 20rem; padding-left: 1.2rem; } h2 { border-bottom: 1px solid var(--line); margin-top: 3rem; }
article { border: 1px solid var(--line); border-radius: .5rem; margin: 1rem 0; padding: 0 1rem 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; } caption { text-align: left; font-weight: 600; }
th, td { border-top: 1px solid var(--line); padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { background: var(--soft); overflow-x: auto; padding: .75rem; }
.method { background: var(--soft); border-radius: .25rem; padding: .1rem .4rem; }
"""

METHODS = ("get", "put", "post", "delete", "patch")


def page_of(document: Json) -> str:
    """The page of a document as `broker.contract.openapi` makes it."""
    return "".join(_page(document))


def _page(document: Json) -> Iterator[str]:
    info, (server, *_) = document["info"], document["servers"]
    by_tag: dict[str, list[tuple[str, str, Json]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                by_tag[item[method]["tags"][0]].append((method.upper(), path, item[method]))
    title = escape(info["title"])
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<style>{STYLE}</style></head><body><a class="skip" href="#main">To the calls</a>'
    yield f"<header><h1>{title}</h1><p>{_words(info['description'])}</p>"
    yield f"<p>Base URL: <code>{escape(server['url'])}</code>. As data: "
    yield f'<a href="{escape(server["url"])}/openapi.json">openapi.json</a> '
    yield f"(OpenAPI {escape(document['openapi'])}).</p>"
    yield '</header><nav aria-label="Calls">'
    for tag in document["tags"]:
        yield f'<p><a href="#tag-{tag["name"]}">{tag["name"]}</a>: {_words(tag["description"])}</p><ul>'
        for method, path, operation in by_tag[tag["name"]]:
            yield f'<li><a href="#{operation["operationId"]}"><code>{method} {escape(path)}</code></a></li>'
        yield "</ul>"
    yield '<p><a href="#schemas">Forms</a></p></nav><main id="main">'
    for tag in document["tags"]:
        yield f'<section><h2 id="tag-{tag["name"]}">{tag["name"]}</h2>'
        for method, path, operation in by_tag[tag["name"]]:
            yield from _operation(document, method, path, operation)
        yield "</section>"
    yield '<section><h2 id="schemas">Forms</h2>'
    for name, schema in document["components"]["schemas"].items():
        yield f'<article id="schema-{name}"><h3>{name}</h3>{_description(schema)}'
        yield from _fields(schema)
        yield "</article>"
    yield "</section></main></body></html>"


def _operation(document: Json, method: str, path: str, operation: Json) -> Iterator[str]:
    yield f'<article id="{operation["operationId"]}"><h3><span class="method">{method}</span> '
    yield f"<code>{escape(path)}</code></h3><p>{_words(operation['summary'])}.</p><p>{_credential(operation)}</p>"
    if operation.get("parameters"):
        yield "<table><caption>Parameters</caption>"
        for each in operation["parameters"]:
            needed = ", needed" if each["required"] else ""
            yield f"<tr><th><code>{escape(each['name'])}</code></th><td>{each['in']}{needed}</td>"
            yield f"<td>{_type(each['schema'])}</td><td>{_words(each['description'])}</td></tr>"
        yield "</table>"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body ({escape(kind)}): {_type(content['schema'])}</p>{_example(content)}"
    yield "<table><caption>Replies</caption>"
    by_status = operation["x-error-codes"]
    for status, reply in operation["responses"].items():
        shared = reply.get("$ref")
        whole = document["components"]["responses"][shared.rsplit("/", 1)[1]] if shared else reply
        forms = ", ".join(_type(each["schema"]) for each in whole.get("content", {}).values() if "schema" in each)
        codes = ", ".join(f"<code>{escape(code)}</code>" for code in by_status.get(status, ()))
        yield f"<tr><th>{status}</th><td>{forms or codes}</td>"
        yield f"<td>{_words(whole['description'])}{'<br>' + codes if forms and codes else ''}</td></tr>"
    yield "</table>"
    for status, reply in operation["responses"].items():
        for content in reply.get("content", {}).values() if status < "3" else ():
            yield _example(content, f"For example {status}:")
    yield "</article>"


def _credential(operation: Json) -> str:
    if not operation["security"]:
        return "Needs no credential."
    ((scheme, scopes),) = operation["security"][0].items()
    if scheme == "sigv4":
        return "Signed with IAM credentials."
    return "Needs the scope " + " or ".join(f"<code>{escape(scope)}</code>" for scope in scopes) + "."


def _fields(schema: Json) -> Iterator[str]:
    if not schema.get("properties"):
        yield f"<p>{_type(schema)}</p>"
        return
    yield "<table>"
    for name, field in schema["properties"].items():
        needed = "needed" if name in schema.get("required", ()) else ""
        default = f" Default: <code>{escape(json.dumps(field['default']))}</code>." if "default" in field else ""
        yield f"<tr><th><code>{escape(name)}</code></th><td>{_type(field)}</td><td>{needed}</td>"
        yield f"<td>{_words(field.get('description', ''))}{default}</td></tr>"
    yield "</table>"


def _type(schema: Json) -> str:
    """A schema in a few words, with links to those that have a name."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f'<a href="#schema-{name}">{name}</a>'
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return (" and " if several == "allOf" else " or ").join(_type(each) for each in schema[several])
    if "enum" in schema or "const" in schema:
        words = schema.get("enum") or [schema["const"]]
        return ", ".join(f"<code>{escape(json.dumps(each))}</code>" for each in words)
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    named = f"{kind} ({schema['format']})" if "format" in schema else str(kind)
    return escape(named)


def _example(content: Json, title: str = "For example:") -> str:
    if "example" not in content:
        return ""
    return f"<p>{title}</p><pre>{escape(json.dumps(content['example'], indent=2, ensure_ascii=False))}</pre>"


def _description(schema: Json) -> str:
    return f"<p>{_words(schema['description'])}</p>" if schema.get("description") else ""


def _words(text: str) -> str:
    """A text of the document, with what stands between backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
