"""A LiteLLM proxy's configuration as a registry document: `broker import litellm CONFIG`.

Deployments of one name that differ in their keys alone are one model with a pool of keys; others are models of their
own, which an alias of that name has in order. Fallbacks follow in the alias of whom they are for. Budgets are a
tenant's. What has no place is told with its line; no value of a key is ever read into the document.
"""

import json
from collections.abc import Mapping
from typing import Any

from broker.cli.importing.lines import Lines, Place
from broker.cli.importing.litellm_models import Deployment, Json, Reader, slug
from broker.errors import InvalidRequest
from broker.registry.document import parse_registry

TENANT = "litellm"
MONTHS = ("30d", "31d", "1mo", "1month")

MOST = 4
"""Models that a job tries."""

INSTEAD = {
    "num_retries": "the broker repeats by what an error is",
    "routing_strategy": "requests are shared by weight, and models tried in order or by an objective",
    "allowed_fails": "circuits open by their own rules",
    "cooldown_time": "circuits cool by their own rules",
    "request_timeout": "a model has its timeout_s, a request its timeout_seconds",
    "timeout": "a model has its timeout_s, a request its timeout_seconds",
    "context_window_fallbacks": "a prompt that is too long goes to the next candidate with a larger window by itself",
    "content_policy_fallbacks": "a refusal is never routed around",
    "drop_params": "a request says on_unsupported, and attempts tell what was dropped",
    "cache": "a request says cache",
    "cache_params": "a request says cache",
    "master_key": "operators sign with IAM; `broker key` makes keys of tenants. It is not copied",
    "database_url": "it is not copied; the broker has its own tables",
    "callbacks": "events, webhooks, logs and metrics tell of jobs",
    "success_callback": "events, webhooks, logs and metrics tell of jobs",
    "failure_callback": "events, webhooks, logs and metrics tell of jobs",
    "guardrails": "policies are registered as guardrails",
    "include": "the file that it names is not read: import it by itself",
    "environment_variables": "they are not copied: store keys with `broker secret`",
}
"""What the broker has instead, by the last name of a setting."""


def imported(lines: Lines, tenant: str = TENANT) -> str:
    """The document as YAML, with all that is to be told in comments before it.

    Raises:
        InvalidRequest: no model can be carried over.
    """
    import yaml

    document, reader = converted(lines, tenant)
    parse_registry(json.loads(json.dumps(document)))
    said = [f"# {each}" for each in lines.told()]
    if reader.secrets:
        said += ["#", "# Keys to be stored before it is applied:"]
        said += [f"# broker secret {name} < FILE  ({what})" for name, what in sorted(reader.secrets.items())]
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return "\n".join([*said, text]).rstrip("\n")


def converted(lines: Lines, tenant: str) -> tuple[Json, Reader]:
    """The document, and what its keys are called."""
    config, reader = dict(lines.content), Reader(lines)
    listed = config.pop("model_list", None)
    given = listed if isinstance(listed, list) else []
    found = [reader.deployment(entry, ("model_list", number)) for number, entry in enumerate(given)]
    groups: dict[str, list[Deployment]] = {}
    for each in filter(None, found):
        groups.setdefault(each.group, []).append(each)
    if not groups:
        raise InvalidRequest("model_list: there is no model that can be carried over.", param="model_list")
    router, settings = _section(config, "router_settings", lines), _section(config, "litellm_settings", lines)
    follow = _fallbacks(lines, router, settings)
    models, names = _models(lines, groups, follow)
    document: Json = {"models": models}
    if aliases := _aliases(lines, groups, names, follow, router):
        document["aliases"] = aliases
    if budget := _budget(lines, settings, tenant):
        document["tenants"] = [budget]
    for section, rest in (("router_settings", router), ("litellm_settings", settings)):
        _tell(lines, rest, (section,))
    for name, value in config.items():
        _tell(lines, value, (str(name),)) if isinstance(value, Mapping) else _tell(lines, {name: value}, ())
    return document, reader


def _section(config: Json, name: str, lines: Lines) -> Json:
    section = config.pop(name, None)
    if section is not None and not isinstance(section, Mapping):
        lines.note((name,), "it has to be an object")
    return dict(section) if isinstance(section, Mapping) else {}


def _models(
    lines: Lines, groups: Mapping[str, list[Deployment]], follow: Mapping[str, list[str]]
) -> tuple[list[Json], dict[str, list[str]]]:
    """The models, and by the name that clients ask for their ids in order."""
    models: list[Json] = []
    names: dict[str, list[str]] = {}
    taken: set[str] = set()
    for group, deployments in groups.items():
        alike: dict[str, list[Deployment]] = {}
        for each in deployments:
            alike.setdefault(json.dumps(each.model, sort_keys=True), []).append(each)
        alone = len(alike) == 1 and group not in follow
        for number, same in enumerate(alike.values(), 1):
            wanted = _id(lines, group, same[0]) + ("" if alone else f"-{number}")
            while wanted in taken:
                wanted += "-x"
            taken.add(wanted)
            models.append({"id": wanted, **same[0].model, **_keys(lines, same)})
            names.setdefault(group, []).append(wanted)
        if len(alike) > 1:
            what = f"its {len(alike)} deployments are tried in order: only keys of one model share requests"
            lines.note((*deployments[0].place, "model_name"), what)
    return models, names


def _id(lines: Lines, group: str, deployment: Deployment) -> str:
    made = slug(group)
    made = f"{made}-model" if made == "auto" else made
    if made != group:
        lines.note((*deployment.place, "model_name"), f"clients have to ask for {made}")
    return made


def _keys(lines: Lines, same: list[Deployment]) -> Json:
    keys: dict[str, Json] = {}
    for each in same:
        if each.credential is None:
            continue
        if each.credential["secret"] in keys:
            lines.note(each.place, "left out: it is the deployment that another is, with the same key")
        keys.setdefault(each.credential["secret"], each.credential)
    pool = list(keys.values())
    if len(pool) == 1 and pool[0].keys() <= {"name", "secret", "weight"}:
        return {"secret": pool[0]["secret"]}
    if pool and not any(each.get("weight", 1) for each in pool):
        lines.note(same[0].place, "no key of it has a share: all have the same")
        pool = [{name: value for name, value in each.items() if name != "weight"} for each in pool]
    return {"credentials": pool} if pool else {}


def _fallbacks(lines: Lines, router: Json, settings: Json) -> dict[str, list[str]]:
    """By the name that clients ask for, those that are asked after it."""
    follow: dict[str, list[str]] = {}
    for section, known in (("router_settings", router), ("litellm_settings", settings)):
        rows = known.pop("fallbacks", None) or []
        for number, row in enumerate(rows if isinstance(rows, list) else [rows]):
            if not isinstance(row, Mapping) or not all(isinstance(each, list) for each in row.values()):
                lines.note((section, "fallbacks", number), "not carried over: it is no name with a list")
                continue
            for name, after in row.items():
                follow.setdefault(str(name), []).extend(str(each) for each in after if isinstance(each, str))
        after = known.pop("default_fallbacks", None) or []
        if isinstance(after, list) and after:
            follow.setdefault("*", []).extend(str(each) for each in after)
    return follow


def _aliases(
    lines: Lines,
    groups: Mapping[str, list[Deployment]],
    names: Mapping[str, list[str]],
    follow: Mapping[str, list[str]],
    router: Json,
) -> list[Json]:
    known: dict[str, list[str]] = {}
    ids = {each for made in names.values() for each in made}
    for name in follow.keys() - groups.keys() - {"*"}:
        lines.note(("router_settings", "fallbacks"), f"{slug(name)} is no model of the list")
    if "*" in follow:
        what = "only models with fallbacks of their own have them: a request names others (routing.fallbacks)"
        lines.note(("router_settings", "default_fallbacks"), what)
    for group, own in names.items():
        after = [each for name in follow.get(group, ()) for each in _led_to(lines, name, names)]
        if _alias(group) not in ids:
            known[_alias(group)] = _bounded(lines, list(dict.fromkeys([*own, *after])), group)
    aliases = router.pop("model_group_alias", None) or {}
    for name, to in aliases.items() if isinstance(aliases, Mapping) else ():
        target = to.get("model") if isinstance(to, Mapping) else to
        if _alias(str(name)) in ids or not isinstance(target, str) or target not in names:
            lines.note(("router_settings", "model_group_alias", str(name)), "not carried over: it leads to no model")
            continue
        known[_alias(str(name))] = known.get(_alias(target), names[target])
    return [{"id": name, "models": list(models)} for name, models in known.items()]


def _alias(name: str) -> str:
    return f"{slug(name)}-model" if slug(name) == "auto" else slug(name)


def _led_to(lines: Lines, name: str, names: Mapping[str, list[str]]) -> list[str]:
    if name not in names:
        lines.note(("router_settings", "fallbacks"), f"{slug(name)} is no model of the list")
    return names.get(name, [])


def _bounded(lines: Lines, models: list[str], group: str) -> list[str]:
    if len(models) > MOST:
        lines.note(("model_list",), f"a job tries {MOST} of the {len(models)} that {slug(group)} leads to")
    return models


def _budget(lines: Lines, settings: Json, tenant: str) -> Json | None:
    most, span = settings.pop("max_budget", None), settings.pop("budget_duration", None)
    if most is None:
        return None
    place: Place = ("litellm_settings", "max_budget")
    if isinstance(most, bool) or not isinstance(most, int | float) or not 0 <= most <= 1e9:
        lines.note(place, "not carried over: it is no number of dollars")
        return None
    if str(span) not in MONTHS:
        lines.note(("litellm_settings", "budget_duration"), "not carried over: a tenant's budget is of a month")
        return None
    lines.note(place, f"it is the monthly budget of the tenant {tenant}, by the calendar's month")
    return {"id": tenant, "monthly_budget_usd": most}


def _tell(lines: Lines, rest: Mapping[Any, Any], place: Place) -> None:
    for name in rest:
        why = INSTEAD.get(str(name))
        lines.note((*place, str(name)), f"not carried over{f': {why}' if why else ''}")
