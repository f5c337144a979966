"""What is registered: models that can be used, names that lead to them, and the secrets that they need."""

import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from broker.cli.doctor.deployed import Deployed, readable
from broker.cli.doctor.finding import Finding, error, warning
from broker.guardrails.policy import EMBEDDED
from broker.providers import PROVIDERS

AHEAD = timedelta(days=30)
"""How long before a model's sunset it is told."""

OF_AWS = ("aws", "bedrock", "sagemaker")
"""The folders of providers to which the functions' own roles are the key."""


def is_of_aws(provider: str) -> bool:
    """True for a provider that is an AWS service."""
    return provider in PROVIDERS and PROVIDERS[provider][0].split(".")[2] in OF_AWS


def usable(model: Mapping[str, Any], today: str) -> bool:
    """True where jobs may be given to a model, as it is registered; `today` as 2026-11-30."""
    over = model.get("status") == "deprecated" and str(model.get("sunset", "9")) <= today
    return model.get("status", "active") != "disabled" and not over


def in_use(deployed: Deployed) -> dict[str, dict[str, Any]]:
    """The models that jobs may be given to, by id."""
    return {each: model for each, model in deployed.entries("models").items() if usable(model, deployed.today)}


def models(deployed: Deployed) -> Iterator[Finding]:
    """That there is something to ask, and someone who may, and what ends soon."""
    example = deployed.broker("apply examples/registry")
    used = in_use(deployed)
    if not used:
        yield error("no model is registered that may be used", example)
    if not any(each.get("enabled", True) for each in deployed.entries("tenants").values()):
        yield error("no tenant is registered, so nobody may ask for work", example)
    soon = str(date.fromisoformat(deployed.today) + AHEAD)
    for name, model in used.items():
        apply = deployed.broker("apply registry/")
        if model["provider"] not in PROVIDERS:
            yield error(f"the model {name} has a provider {model['provider']!r}, which there is not", apply)
        elif not is_of_aws(model["provider"]) and not _secrets(model) and not model.get("endpoint"):
            yield error(f"the model {name} has no secret, and its provider takes nobody without a key", apply)
        if model.get("status") == "deprecated" and model["sunset"] <= soon:
            follows = f"; {model['successor']} is to follow it" if model.get("successor") else ""
            yield warning(f"the model {name} is used until {model['sunset']} and no longer{follows}", apply)


@dataclass(frozen=True, slots=True)
class _Naming:
    """An entry that names models or aliases; `needed` where it can do nothing without any of them."""

    what: str
    names: Collection[str]
    needed: bool = True


def names(deployed: Deployed) -> Iterator[Finding]:
    """That names lead to models that may be used; those that are disabled, or whose sunset has been, are gone."""
    known, used = deployed.entries("models"), in_use(deployed)
    aliases = {each: alias for each, alias in deployed.entries("aliases").items() if alias.get("enabled", True)}
    good = {*used} | {each for each, alias in aliases.items() if used.keys() & {*alias["models"]}}
    gone: dict[str, list[str]] = {}
    for entry in _namings(deployed, aliases):
        missing = [each for each in entry.names if each not in good and each != EMBEDDED]
        if missing and len(missing) == len(entry.names) and entry.needed:
            for each in missing[:1]:
                yield error(f"{entry.what} leads to no model that may be used", _back(deployed, each, known))
        for each in missing:
            gone.setdefault(each, []).append(entry.what)
    for each, by in gone.items():
        what = f"{each} is named by {', '.join(by)} and may not be used: it is {_why(deployed, each, known)}"
        yield warning(what, _back(deployed, each, known))


def _namings(deployed: Deployed, aliases: Mapping[str, Mapping[str, Any]]) -> Iterator[_Naming]:
    for name, alias in aliases.items():
        yield _Naming(f"the alias {name}", alias["models"])
    for name, route in deployed.entries("routes").items():
        if route.get("enabled", True):
            listed = [each["model"] for each in route.get("models", ())]
            yield _Naming(f"the route {name}", [*listed, *route.get("fallbacks", ())], bool(listed))
    for name, tenant in deployed.entries("tenants").items():
        if tenant.get("enabled", True):
            yield _Naming(f"the tenant {name}", tenant.get("models") or ())
            if embeds := tenant.get("cache_embedding_model"):
                yield _Naming(f"the tenant {name}", [embeds], needed=False)  # without it, questions are just not alike
    for name, policy in deployed.entries("guardrails").items():
        if policy.get("enabled", True):
            for rule in policy["rules"]:
                yield _Naming(f"the policy {name}", rule.get("engines") or ())


def _why(deployed: Deployed, name: str, known: Mapping[str, Mapping[str, Any]]) -> str:
    model = known.get(name)
    if model is None:
        return "no model in use, nor an alias of one"
    return f"over since {model['sunset']}" if model.get("status") == "deprecated" else "disabled"


def _back(deployed: Deployed, name: str, known: Mapping[str, Mapping[str, Any]]) -> str:
    """The command that brings a model back as it last was in use, or names another in the entries."""
    if name in known and known[name].get("status") == "disabled":
        for number, content in deployed.versions("models", name):
            if content.get("status", "active") == "active":
                return deployed.broker(f"rollback models {name} {number}")
    return deployed.broker("apply registry/")


def _secrets(model: Mapping[str, Any]) -> list[str]:
    """The names of a model's keys: of one, or of a pool."""
    one = [model["secret"]] if model.get("secret") else []
    return one + [each["secret"] for each in model.get("credentials", ()) if each.get("weight", 100)]


def secrets(deployed: Deployed) -> Iterator[Finding]:
    """That the secrets are there which models and tenants name."""
    wanted: dict[str, list[str]] = {}
    for name, model in in_use(deployed).items():
        for secret in _secrets(model):
            wanted.setdefault(secret, []).append(f"the model {name}")
    for name, tenant in deployed.entries("tenants").items():
        for field in ("webhook_secret", "redaction_secret"):
            if tenant.get("enabled", True) and tenant.get(field):
                wanted.setdefault(tenant[field], []).append(f"the tenant {name}")
    for secret, by in sorted(wanted.items()):
        yield from readable(deployed, _secret(deployed, secret, ", ".join(by)))


def _secret(deployed: Deployed, name: str, by: str) -> Iterator[Finding]:
    full = f"{deployed.outputs['SecretsPrefix']}{name}"
    store = deployed.broker(f"secret {shlex.quote(name)} < {shlex.quote(name.rpartition('/')[2])}.txt")
    found = deployed.account.ask("secretsmanager", "describe_secret", SecretId=full)
    key = str((found or {}).get("KmsKeyId") or "").rpartition("/")[2]
    if found is None:
        yield error(f"there is no secret {name}, which {by} needs", store)
    elif found.get("DeletedDate"):
        mend = f"aws secretsmanager restore-secret --secret-id {shlex.quote(full)}"
        yield error(f"the secret {name}, which {by} needs, is about to be deleted", mend)
    elif not any("AWSCURRENT" in stages for stages in found.get("VersionIdsToStages", {}).values()):
        yield error(f"the secret {name}, which {by} needs, is empty", store)
    elif key and key != deployed.outputs["KeyArn"].rpartition("/")[2]:
        yield error(f"the secret {name}, which {by} needs, is encrypted with another key than the stack's", store)
