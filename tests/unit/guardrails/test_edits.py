"""Edits: each character is changed once, and what stands in several texts is replaced in the first of them."""

from broker.guardrails.edits import Change, Edit, edits_of

A, B, C = ("a",), ("b",), ("c",)
TEXTS = {A: "0123456789", B: "abcdefghij", C: "ABCDEFGHIJ"}


def test_changes_that_are_apart_stay_apart_and_in_order() -> None:
    changes = [Change("x", "mask", [(A, 6, 8)]), Change("y", "redact", [(A, 1, 3)]), Change("z", "mask", [(A, 3, 6)])]
    assert edits_of(changes, TEXTS) == {
        A: [Edit(1, 3, "y", "redact"), Edit(3, 6, "z", "mask"), Edit(6, 8, "x", "mask")],
    }


def test_changes_over_each_other_are_one_by_what_is_strictest() -> None:
    changes = [Change("phone", "mask", [(A, 1, 5)]), Change("iban", "redact", [(A, 4, 9)])]
    assert edits_of(changes, TEXTS) == {A: [Edit(1, 9, "iban", "redact")]}
    alike = [Change("short", "redact", [(A, 2, 4)]), Change("long", "redact", [(A, 1, 5)])]
    assert edits_of(alike, TEXTS) == {A: [Edit(1, 5, "long", "redact")]}


def test_what_goes_on_in_other_texts_is_replaced_in_the_first() -> None:
    changes = [Change("card", "redact", [(A, 8, 10), (B, 0, 10), (C, 0, 2)])]
    assert edits_of(changes, TEXTS) == {
        A: [Edit(8, 10, "card", "redact", "abcdefghijAB")],
        B: [Edit(0, 10, "", "redact")],
        C: [Edit(0, 2, "", "redact")],
    }


def test_what_touches_it_in_any_of_them_joins_it() -> None:
    across = Change("card", "redact", [(A, 8, 10), (B, 0, 4)])
    changes = [
        Change("id", "mask", [(B, 2, 7)]),
        across,
        Change("name", "mask", [(A, 5, 9)]),
        Change("x", "mask", [(B, 7, 9)]),
    ]
    assert edits_of(changes, TEXTS) == {
        A: [Edit(5, 10, "card", "redact", "abcdefg")],
        B: [Edit(0, 7, "", "redact"), Edit(7, 9, "x", "mask")],
    }
