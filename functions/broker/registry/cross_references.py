"""Names that entries have of each other: what is named is there, and no name means two things."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.errors import InvalidRequest
from broker.guardrails.engines.tasks import BY_SIGHT, TASKS, can_see, reads_texts, task_for
from broker.guardrails.policy import EMBEDDED
from broker.prompts.judging import wording
from broker.prompts.texts import ROLES
from broker.prompts.variables import checked
from broker.registry.entry import Entry
from broker.registry.guardrail_entry import GuardrailEntry
from broker.registry.label_entry import LabelsEntry
from broker.registry.model_entry import ModelEntry
from broker.registry.permission_entry import PermissionEntry
from broker.registry.prompts import PromptEntry, declared_variables
from broker.registry.recipe_entry import RecipeEntry
from broker.registry.recipe_parts import PromptUseEntry
from broker.registry.route_entry import AliasEntry, RouteEntry
from broker.registry.rule_entry import JudgePromptEntry, RuleEntry
from broker.registry.tenants import TenantEntry

NAMING = ("models", "aliases", "routes", "guardrails")
"""The kinds that have to be known to check a name."""
NAMING_POLICIES = ("routes", "tenants", "prompts", "recipes")
"""The kinds that name guardrail policies."""

Fault = tuple[str, str, str]
"""Field, code and message."""


@dataclass(frozen=True, slots=True)
class Names:
    """The registry as it will stand."""

    models: Mapping[str, Mapping[str, Any]]
    """What is registered of each."""
    aliases: frozenset[str]
    rows: Mapping[tuple[str | None, str | None], frozenset[str]]
    """The routes in use, by task and query type; more than one is a fault."""
    has_version: Callable[[str, int], bool]
    """Whether a prompt has a version."""
    version: Callable[[str, int], Mapping[str, Any] | None]
    """A version of a prompt, with its texts."""
    newest: Callable[[str], int]
    """The number of a prompt's newest version; 0 where there is no such prompt."""
    policies: Mapping[str, bool]
    """Whether each is in use."""
    regions: frozenset[str] = frozenset()
    """The data regions that models keep to."""
    providers: frozenset[str] = frozenset()
    """The providers that models have."""

    @classmethod
    def of(
        cls,
        contents: Mapping[str, Mapping[str, Mapping[str, Any]]],
        has_version: Callable[[str, int], bool],
        version: Callable[[str, int], Mapping[str, Any] | None],
        newest: Callable[[str], int],
    ) -> "Names":
        """From contents by kind and id."""
        rows: dict[tuple[str | None, str | None], set[str]] = {}
        for route, content in contents["routes"].items():
            if content.get("enabled", True):
                rows.setdefault((content.get("task"), content.get("query_type")), set()).add(route)
        return cls(
            contents["models"],
            frozenset(contents["aliases"]),
            {key: frozenset(routes) for key, routes in rows.items()},
            has_version,
            version,
            newest,
            {policy: content.get("enabled", True) for policy, content in contents["guardrails"].items()},
            frozenset(region for content in contents["models"].values() for region in content.get("regions", ())),
            frozenset(content["provider"] for content in contents["models"].values() if "provider" in content),
        )


def check_references(entry: Entry, names: Names, place: str = "") -> None:
    """Check what an entry names.

    Args:
        entry: the entry.
        names: the registry as it will stand, with the entry.
        place: where the entry stands in its document, with a dot at the end (`routes.2.`).

    Raises:
        InvalidRequest: the first name at fault.
    """
    check = CHECKS.get(type(entry))
    for field, code, message in check(entry, names) if check else ():
        raise InvalidRequest(f"{place}{field} ({entry.key}): {message}", code=code, param=f"{place}{field}")


def check_uses(gone: Collection[str], kind: str, contents: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that nobody is left without a policy that is to hold for its jobs.

    Args:
        gone: the policies that are taken out of use.
        kind: one of `NAMING_POLICIES`.
        contents: its entries as they will stand, by id.

    Raises:
        InvalidRequest: one of them names such a policy; it names the first.
    """
    for entry_id, content in contents.items():
        for policy in content.get("guardrails", ()):
            if policy in gone and content.get("enabled", True):
                what = (
                    f"The policy {policy!r} is named by {entry_id!r} among the {kind}; take its name from there first."
                )
                raise InvalidRequest(what, code="policy_in_use", param=f"guardrails.{policy}.enabled")


def check_engines(changed: frozenset[str], policies: Mapping[str, Mapping[str, Any]], names: Names) -> None:
    """Check that no rule in use is left with an engine that cannot judge for it.

    Args:
        changed: models that are written.
        policies: as they will stand, by id.
        names: the registry as it will stand.

    Raises:
        InvalidRequest: one of the models judges for a rule, and will not be able to; it names policy and rule.
    """
    for policy, content in policies.items():
        for number, rule in enumerate(content.get("rules", ()) if content.get("enabled", True) else ()):
            for model in sorted(changed.intersection(rule.get("engines") or ())):
                for field, _, why in _unfit(model, names.models[model], rule, in_use=True):
                    judges = f"judges for rules.{number} ({rule['check']}) of the policy {policy!r}"
                    what = f"The model {model!r} {judges}; take its name from there first: {why}."
                    raise InvalidRequest(what, code="engine_in_use", param=f"models.{model}.{field}")


def _model(entry: ModelEntry, names: Names) -> Iterator[Fault]:
    if entry.id in names.aliases:
        yield "id", "ambiguous_name", f"an alias has the name {entry.id!r}"
    if entry.successor is not None:
        yield from _unknown([("successor", entry.successor)], names.models)


def _alias(entry: AliasEntry, names: Names) -> Iterator[Fault]:
    if entry.id in names.models:
        yield "id", "ambiguous_name", f"a model has the name {entry.id!r}"
    yield from _unknown(_listed("models", entry.models), names.models)


def _route(entry: RouteEntry, names: Names) -> Iterator[Fault]:
    known = names.models.keys() | names.aliases
    yield from _unknown(((f"models.{at}.model", each.model) for at, each in enumerate(entry.models)), known)
    yield from _unknown(_listed("fallbacks", entry.fallbacks), known)
    yield from _policies(entry.guardrails, names, in_use=entry.enabled)
    if entry.residency is not None:
        for place, region in _listed("residency.regions", entry.residency.regions):
            if region not in names.regions:
                yield place, "unknown_region", f"no model keeps to a region {region!r}"
        for place, provider in _listed("residency.providers", entry.residency.providers):
            if provider not in names.providers:
                yield place, "unknown_provider", f"no model has a provider {provider!r}"
    others = names.rows.get((entry.task and entry.task.value, entry.query_type), frozenset()) - {entry.id}
    if entry.enabled and others:
        yield "query_type", "duplicate_route", f"the route {min(others)!r} is for the same task and query type"


def _tenant(entry: TenantEntry, names: Names) -> Iterator[Fault]:
    own = [("cache_embedding_model", each) for each in (entry.cache_embedding_model,) if each is not None]
    yield from _unknown([*_listed("models", entry.models or []), *own], names.models)
    others = [(f"budgets.{at}.degrade_to", each.degrade_to or "auto") for at, each in enumerate(entry.budgets)]
    yield from _unknown(others, {"auto"} | names.models.keys() | names.aliases)
    yield from _policies(entry.guardrails, names, in_use=entry.enabled)


def _permission(entry: PermissionEntry, names: Names) -> Iterator[Fault]:
    """What a rule is about has to be there, or it would keep nobody from anything."""
    yield from _unknown(_listed("models", entry.models or ()), names.models.keys() | names.aliases)
    tags = {tag for content in names.models.values() for tag in content.get("tags", ())}
    for known, field in ((tags, "tags"), (names.regions, "regions")):
        for place, value in _listed(field, getattr(entry, field) or ()):
            if value not in known:
                yield place, f"unknown_{field.removesuffix('s')}", f"no model has {value!r} among its {field}"
    for place, prompt in _listed("prompts", entry.prompts or ()):
        if not names.newest(prompt):
            yield place, "unknown_prompt", f"there is no prompt {prompt!r}"


def _prompt(entry: PromptEntry, names: Names) -> Iterator[Fault]:
    if entry.hints is not None and entry.hints.model is not None:
        yield from _unknown([("hints.model", entry.hints.model)], names.models.keys() | names.aliases)
    yield from _policies(entry.guardrails, names)


def _labels(entry: LabelsEntry, names: Names) -> Iterator[Fault]:
    for label, arms in entry.labels.items():
        for at, arm in enumerate(arms):
            if not names.has_version(entry.id, arm.version):
                yield f"labels.{label}.{at}.version", "unknown_version", f"the prompt has no version {arm.version}"


def _guardrail(entry: GuardrailEntry, names: Names) -> Iterator[Fault]:
    for number, rule in enumerate(entry.rules):
        models = [each for each in _listed(f"rules.{number}.engines", rule.engines or ()) if each[1] != EMBEDDED]
        yield from _unknown(models, names.models)
        for place, model in models:
            if content := names.models.get(model):
                faults = _unfit(model, content, rule.model_dump(), in_use=entry.enabled)
                yield from ((place, code, message) for _, code, message in faults)
        if rule.prompt is not None:
            yield from _judge_prompt(f"rules.{number}.prompt", rule, rule.prompt, names)


def _judge_prompt(place: str, rule: RuleEntry, prompt: JudgePromptEntry, names: Names) -> Iterator[Fault]:
    tasks = [
        task_for(rule.check, names.models[each].get("tasks", ())) for each in rule.engines or () if each in names.models
    ]
    if "chat" not in tasks:
        yield place, "no_judge", "none of the engines is asked as a judge"
    content = names.version(prompt.id, prompt.version)
    if content is None:
        yield f"{place}.version", "unknown_version", f"there is no version {prompt.version} of a prompt {prompt.id!r}"
        return
    try:
        wording({role: content[role] for role in ROLES if content.get(role)}, content.get("variables"))
    except InvalidRequest as error:
        yield place, error.code, error.message


def _recipe(entry: RecipeEntry, names: Names) -> Iterator[Fault]:
    known = names.models.keys() | names.aliases
    named = [("model", entry.model), ("extract.model", entry.extract.model)]
    yield from _unknown([(field, model) for field, model in named if model not in (None, "auto")], known)
    if entry.routing is not None:
        yield from _unknown(_listed("routing.fallbacks", entry.routing.fallbacks), known)
    yield from _policies(entry.guardrails, names, in_use=entry.enabled)
    for field, use, given in entry.uses():
        yield from _prompt_of_recipe(field, use, given, names)


def _prompt_of_recipe(field: str, use: PromptUseEntry, given: tuple[str, ...], names: Names) -> Iterator[Fault]:
    """Whether a prompt can be filled with what the broker and the recipe give, and trusts no document."""
    number = use.version or names.newest(use.id)
    content = names.version(use.id, number) if number else None
    if content is None:
        what = f"no version {use.version} of a prompt {use.id!r}" if use.version else f"no prompt {use.id!r}"
        yield f"{field}.version" if use.version else f"{field}.id", "unknown_prompt", f"there is {what}"
        return
    declared = declared_variables(content)
    for name in given:
        if declared.get(name, {}).get("trusted"):
            yield (
                f"{field}.id",
                "trusted_document",
                f"the prompt trusts its variable {name}, which comes from a document",
            )
    try:
        checked(declared, {**use.variables, **dict.fromkeys(given, "en")}, f"{field}.variables")
    except InvalidRequest as error:
        yield error.param or field, error.code, error.message


def _unfit(model: str, content: Mapping[str, Any], rule: Mapping[str, Any], *, in_use: bool) -> Iterator[Fault]:
    """Why a model cannot judge for a rule: by which of its own fields."""
    check = rule["check"]
    if in_use and content.get("status") == "disabled":
        yield "status", "engine_disabled", f"the model {model!r} is disabled"
    task = task_for(check, content.get("tasks", ()))
    if task is None:
        tasks = " or ".join(sorted(TASKS[check]))
        yield "tasks", "no_engine", f"the model {model!r} has to do {tasks} to judge for {check}"
    if content.get("asynchronous"):
        yield "asynchronous", "no_engine", f"the model {model!r} has to answer at once to judge"
    provider, capabilities = content.get("provider", ""), content.get("capabilities", ())
    if rule.get("pictures") and task is not None and not can_see(check, task, provider, capabilities):
        if task not in BY_SIGHT.get(check, ()):
            yield "tasks", "no_vision", f"the model {model!r} has to be a judge with vision to see pictures for {check}"
        elif "vision" in capabilities:
            yield "provider", "no_vision", f"the model {model!r} moderates texts alone: {provider} takes no pictures"
        else:
            yield "capabilities", "no_vision", f"the model {model!r} needs the capability vision to see pictures"
    if not reads_texts(provider, task):
        if not rule.get("pictures"):
            yield "provider", "no_texts", f"the model {model!r} reads no texts, so the rule needs pictures: true"
        elif rule.get("combine") in ("all", "cascade"):
            why = "would have no say in what others find in texts: it needs combine: any"
            yield "provider", "no_texts", f"the model {model!r} reads no texts, and {why}"


def _listed(field: str, values: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((f"{field}.{at}", each) for at, each in enumerate(values))


def _unknown(named: Iterable[tuple[str, str]], known: Collection[str]) -> Iterator[Fault]:
    return ((field, "unknown_model", f"there is no model {name!r}") for field, name in named if name not in known)


def _policies(named: Sequence[str], names: Names, *, in_use: bool = True) -> Iterator[Fault]:
    for place, policy in _listed("guardrails", named):
        if policy not in names.policies:
            yield place, "unknown_policy", f"there is no policy {policy!r}"
        elif in_use and not names.policies[policy]:
            yield place, "policy_disabled", f"the policy {policy!r} is disabled"


CHECKS: dict[type[Entry], Callable[[Any, Names], Iterator[Fault]]] = {
    ModelEntry: _model,
    AliasEntry: _alias,
    RouteEntry: _route,
    GuardrailEntry: _guardrail,
    TenantEntry: _tenant,
    PromptEntry: _prompt,
    LabelsEntry: _labels,
    RecipeEntry: _recipe,
    PermissionEntry: _permission,
}
