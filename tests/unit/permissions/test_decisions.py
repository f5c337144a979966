"""Random rules and requests: what is decided is what a plain reading of the documented semantics says."""

from typing import Any

from broker.permissions.rules import RESOURCES, SUBJECTS, Permission, decide
from broker.permissions.who import Member, Who
from hypothesis import given
from hypothesis import strategies as st

NAMES = ("a", "b", "c")

some = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)
selections = st.dictionaries(st.sampled_from(SUBJECTS), some, min_size=1, max_size=3)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """A rule as the registry keeps it."""
    on = draw(st.dictionaries(st.sampled_from(RESOURCES), some, min_size=1, max_size=3))
    within = draw(st.none() | st.dictionaries(st.sampled_from(("organisations", "tenants")), some, min_size=1))
    effect = draw(st.sampled_from(("allow_only", "deny")))
    return {**on, effect: draw(st.lists(selections, min_size=1, max_size=2)), **({"within": within} if within else {})}


one = st.sampled_from(("", *NAMES))
many = st.frozensets(st.sampled_from(NAMES), max_size=2)
people = st.builds(Who, one, one, st.builds(Member, one, many, many), one, one, st.sampled_from(NAMES))
things = st.fixed_dictionaries({}, optional={kind: st.none() | some for kind in RESOURCES})


def known(who: Who) -> dict[str, set[str]]:
    """Who somebody is, by the words of rules."""
    member = who.member
    return {
        "organisations": {who.organisation},
        "tenants": {who.tenant},
        "applications": {member.application},
        "groups": set(member.groups),
        "roles": set(member.roles),
        "principals": {who.principal},
        "keys": {who.key},
    }


def selected(selection: dict[str, list[str]], somebody: dict[str, set[str]]) -> bool:
    """Whether each field of a selection has one of the values of somebody."""
    for name in selection:
        if not any(value in somebody[name] for value in selection[name]):
            return False
    return True


def plainly(every: list[dict[str, Any]], who: Who, what: dict[str, list[str] | None]) -> bool:
    """The page's words, sentence by sentence: with no thought of how quick it is."""
    somebody = known(who)
    for rule in every:
        about = True
        for kind in RESOURCES:
            if kind not in rule:
                continue
            asked = what.get(kind, [])
            if asked is not None and not [value for value in asked if value in rule[kind]]:
                about = False
        if not about or ("within" in rule and not selected(rule["within"], somebody)):
            continue
        chosen = [selected(each, somebody) for each in rule.get("allow_only", rule.get("deny"))]
        if any(chosen) != ("allow_only" in rule):
            return False
    return True


@given(st.lists(rules(), max_size=6), people, things)
def test_a_decision_is_that_of_a_plain_reading(
    every: list[dict[str, Any]], who: Who, what: dict[str, list[str] | None]
) -> None:
    read = [Permission.of(str(number), rule) for number, rule in enumerate(every)]
    assert decide(read, who, what).allowed == plainly(every, who, what)


@given(st.lists(rules(), max_size=5), rules(), people, things)
def test_one_rule_more_opens_nothing_and_order_counts_for_nothing(
    every: list[dict[str, Any]], more: dict[str, Any], who: Who, what: dict[str, list[str] | None]
) -> None:
    read = [Permission.of(str(number), rule) for number, rule in enumerate([*every, more])]
    before, after = decide(read[:-1], who, what), decide(read, who, what)
    assert before.allowed or not after.allowed
    assert decide(reversed(read), who, what).allowed == after.allowed
    assert {each.rule.id for each in after.spoke} >= {each.rule.id for each in before.spoke}


@given(st.lists(rules(), max_size=5), people, things)
def test_who_is_kept_is_told_by_which_rules(
    every: list[dict[str, Any]], who: Who, what: dict[str, list[str] | None]
) -> None:
    decision = decide([Permission.of(str(number), rule) for number, rule in enumerate(every)], who, what)
    assert decision.allowed == (not decision.against)
    for rule in decision.against:
        assert not plainly([every[int(rule.id)]], who, what), "it alone would keep them from it"
