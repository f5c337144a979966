"""Embeddings in bytes: small, and as alike as before."""

import math
from random import Random

import pytest
from broker.cache.vectors import DIMENSIONS, Vector
from hypothesis import given
from hypothesis import strategies as st


def cosine(one: list[float], two: list[float]) -> float:
    dot = sum(a * b for a, b in zip(one, two, strict=True))
    return dot / math.sqrt(sum(a * a for a in one) * sum(b * b for b in two))


@given(st.integers(0, 10_000), st.sampled_from([256, 512, 1024, 1536]), st.floats(0, 1))
def test_bytes_tell_likeness_as_well_as_floats(seed: int, dimensions: int, alike: float) -> None:
    chance = Random(seed)
    one = [chance.gauss(0, 1) for _ in range(dimensions)]
    two = [alike * each + (1 - alike) * chance.gauss(0, 1) for each in one]
    (likeness,) = Vector.of(one).likeness([Vector.of(two)])
    assert likeness == pytest.approx(cosine(one, two), abs=0.01)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50).filter(any))
def test_a_question_is_like_itself_at_any_length(embedding: list[float]) -> None:
    vector = Vector.of(embedding)
    assert len(vector.data) == len(embedding)
    assert vector.likeness([vector, Vector.of([each * 3 for each in embedding])])[0] == 1.0
    opposite = Vector.of([-each for each in embedding])
    assert vector.likeness([opposite]) == [-1.0]


def test_others_keep_their_order_and_another_length_is_like_nothing() -> None:
    east, north, east_too = Vector.of([1, 0]), Vector.of([0, 1]), Vector.of([5, 0])
    assert east.likeness([north, east_too, Vector.of([1, 0, 0])]) == [0.0, 1.0, -1.0]
    assert east.likeness([]) == []


@pytest.mark.parametrize("embedding", [[], [0.0, 0.0], [math.nan], [math.inf, 1], [1.0] * (DIMENSIONS + 1)])
def test_what_is_no_embedding_is_refused(embedding: list[float]) -> None:
    with pytest.raises(ValueError, match="embedding"):
        Vector.of(embedding)
