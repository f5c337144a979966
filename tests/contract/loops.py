"""The template's loops written out, as the transform `AWS::LanguageExtensions` does it, and no further.

Of what that transform knows, the template uses this: a loop in `Resources` over a list of names; its identifier in the
keys of what is repeated (`${Name}`), in the strings of `Fn::Sub`, and alone as `Ref`; `Fn::Sub` inside `Ref` and
`Fn::GetAtt`; and `Fn::FindInMap` by the identifier, or outside of loops by plain names. Anything else of a loop is
refused here, so that no test passes on what AWS would read otherwise (template reference, "Fn::ForEach", "Ref",
"Fn::GetAtt").
"""

import re
from typing import Any

LOOP = "Fn::ForEach::"
IDENTIFIER = re.compile(r"\$\{(\w+)\}")
LOGICAL_ID = re.compile(r"[A-Za-z0-9]+")


def unrolled(template: dict[str, Any]) -> dict[str, Any]:
    """The template with each loop of `Resources` replaced by the resources that it makes, in its place.

    Raises:
        AssertionError: the template has a loop that AWS would refuse, or that this does not know.
    """
    mappings = template.get("Mappings", {})
    names = [key.removeprefix(LOOP) for key in template["Resources"] if key.startswith(LOOP)]
    assert not set(names) & template["Resources"].keys(), "a loop has the name of a resource"
    assert not any(LOOP in str(part) for section, part in template.items() if section != "Resources"), (
        "a loop elsewhere"
    )
    resources: dict[str, Any] = {}
    for key, resource in template["Resources"].items():
        made = _turns(key, resource, mappings) if key.startswith(LOOP) else {key: _looked_up(resource, mappings)}
        twice = resources.keys() & made.keys()
        assert not twice, f"{key} makes {sorted(twice)} again"
        resources |= made
    return template | {"Resources": resources}


def _looked_up(node: Any, mappings: dict[str, Any]) -> Any:
    """A part that is not repeated, with what it finds in mappings by plain names."""
    match node:
        case {"Fn::FindInMap": [str(mapping), str(first), str(second)]}:
            return mappings[mapping][first][second]
        case dict():
            return {key: _looked_up(each, mappings) for key, each in node.items()}
        case list():
            return [_looked_up(each, mappings) for each in node]
    return node


def _turns(key: str, loop: Any, mappings: dict[str, Any]) -> dict[str, Any]:
    """What one loop makes."""
    identifier, collection, fragment = loop
    assert isinstance(collection, list) and collection, f"{key} goes over a list"
    made = {}
    for value in collection:
        for repeated, body in fragment.items():
            assert IDENTIFIER.findall(repeated) == [identifier], f"{key}: {repeated} would be made again and again"
            name = repeated.replace(f"${{{identifier}}}", value)
            assert LOGICAL_ID.fullmatch(name), f"{key} makes {name}, which is no logical id"
            assert name not in made, f"{key} makes {name} twice"
            made[name] = _filled(body, identifier, value, mappings)
    return made


def _filled(node: Any, identifier: str, value: str, mappings: dict[str, Any]) -> Any:
    """A repeated part with the identifier's value in it."""

    def fill(each: Any) -> Any:
        return _filled(each, identifier, value, mappings)

    place = f"${{{identifier}}}"
    match node:
        case {"Ref": str(name)} if name == identifier:
            return value
        case {"Fn::Sub": str(text)}:
            return {"Fn::Sub": text.replace(place, value)}
        case {"Fn::Sub": [str(text), dict(variables)]}:
            return {"Fn::Sub": [text.replace(place, value), fill(variables)]}
        case {"Ref": dict(inner)}:
            return {"Ref": _name(fill(inner))}
        case {"Fn::GetAtt": [resource, attribute]}:
            return {"Fn::GetAtt": [_name(fill(resource)), attribute]}
        case {"Fn::FindInMap": [mapping, first, second]}:
            return mappings[mapping][fill(first)][fill(second)]
        case dict():
            assert not any(place in key or key.startswith(LOOP) for key in node), f"{node} has its identifier in a key"
            return {key: fill(each) for key, each in node.items()}
        case list():
            return [fill(each) for each in node]
        case str():
            assert place not in node, f"{node!r} keeps its identifier: only Fn::Sub replaces it"
    return node


def _name(resolved: Any) -> str:
    """The logical id that a name inside `Ref` or `Fn::GetAtt` comes to."""
    match resolved:
        case str():
            return resolved
        case {"Fn::Sub": str(text)} if "${" not in text:
            return text
    raise AssertionError(f"{resolved} is not the name of a resource")
