"""Templates: versions, and variables that are only ever text."""

from typing import Any

import pytest
from broker.errors import InvalidRequest, NotFound
from broker.prompts.templates import Prompts

from tests.fakes.world import World


@pytest.fixture
def prompts() -> Prompts:
    world = World()
    greet = {"system": "You greet {{name}}.", "user": "Say hello to {{ name }} in {{language}}."}
    world.register(
        {"pk": "PROMPT#greet", "sk": "V#0001", "user": "Hi {{name}}."},
        {"pk": "PROMPT#greet", "sk": "V#0002", **greet},
        {"pk": "PROMPT#greet", "sk": "LATEST", **greet},
        {"pk": "PROMPT#fixed", "sk": "LATEST", "user": "{{Not}} {one} {{ 9 }} of {{}} them."},
    )
    return Prompts(world.database)


def test_fills_the_newest_version(prompts: Prompts) -> None:
    values = {"name": "Ann", "language": "French"}
    assert prompts.messages({"id": "greet", "variables": values}) == [
        {"role": "system", "content": "You greet Ann."},
        {"role": "user", "content": "Say hello to Ann in French."},
    ]


def test_fills_the_version_that_is_named(prompts: Prompts) -> None:
    wanted = {"id": "greet", "version": 1, "variables": {"name": "Ann"}}
    assert prompts.messages(wanted) == [{"role": "user", "content": "Hi Ann."}]


def test_values_are_never_read_as_templates(prompts: Prompts) -> None:
    values = {"name": "{{language}} \\1 \\g<0>", "language": "{{name}}"}
    assert prompts.messages({"id": "greet", "variables": values})[1]["content"] == (
        "Say hello to {{language}} \\1 \\g<0> in {{name}}."
    )


def test_what_is_no_place_stays(prompts: Prompts) -> None:
    assert prompts.messages({"id": "fixed"})[0]["content"] == "{{Not}} {one} {{ 9 }} of {{}} them."


@pytest.mark.parametrize(
    ("wanted", "kind", "code", "param"),
    [
        ({"id": "none"}, NotFound, "unknown_prompt", "prompt.id"),
        ({"id": "greet", "version": 3}, NotFound, "unknown_prompt", "prompt.id"),
        ({"id": "greet", "variables": {"name": "A"}}, InvalidRequest, "missing_variable", "prompt.variables.language"),
        ({"id": "greet", "version": 1}, InvalidRequest, "missing_variable", "prompt.variables.name"),
        (
            {"id": "greet", "version": 1, "variables": {"name": "A", "nmae": "B"}},
            InvalidRequest,
            "unknown_variable",
            "prompt.variables.nmae",
        ),
    ],
)
def test_names_what_is_wrong(
    prompts: Prompts, wanted: dict[str, Any], kind: type[InvalidRequest], code: str, param: str
) -> None:
    with pytest.raises(kind) as failure:
        prompts.messages(wanted)
    assert (failure.value.code, failure.value.param) == (code, param)
