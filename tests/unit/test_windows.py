"""What is known of a model's window before one is chosen."""

import pytest
from broker.routing.windows import window_of

from tests.fakes.world import NOW, World, a_model


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *(("auto", (None, None)), ("none", (None, None)), ("gpt", (8_000, "openai"))),
        *(("same", (8_000, "openai")), ("mixed", (8_000, None))),
    ],
)
def test_the_smallest_window_counts_and_a_family_only_where_it_is_one(
    name: str, known: tuple[int | None, str | None]
) -> None:
    world = World()
    world.register(
        a_model("gpt", name="gpt-4.1", context_window=8_000),
        a_model("larger", name="gpt-5", context_window=100_000),
        a_model("claude", name="claude-sonnet-5", context_window=50_000),
        {"pk": "MODELS", "sk": "ALIAS#same", "models": ["larger", "gpt"]},
        {"pk": "MODELS", "sk": "ALIAS#mixed", "models": ["claude", "gpt", "gone"]},
    )
    assert window_of(world.models().catalog(NOW), name) == known
