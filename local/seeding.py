"""Seeds the embedded cloud: the local models, two tenants, their secrets and a key for each."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from broker.cli import create_key, put_secret, registry_of, tables_of
from broker.cli.documents import read
from broker.clock import now_ms
from broker.delivery.signing import new_secret
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.tenants.api_keys import key_hash

from local.deployment import Cloud
from local.servers import ROOT


@dataclass(frozen=True, slots=True)
class Seeded:
    """What a client of the seeded stack needs; kept in `.local/seeded.json`, for a key cannot be shown twice."""

    api_key: str
    other_key: str
    webhook_secret: str


def document(models_url: str, batch_role: str) -> str:
    """The registry of the demo, as JSON: its own, and the recipes of the examples for a model of this machine."""
    text = (ROOT / "local" / "registry.json").read_text()
    known = json.loads(text.replace("${MODELS_URL}", models_url).replace("${BATCH_ROLE}", batch_role))
    examples = read(ROOT / "examples" / "registry" / "recipes.yaml")
    recipes = [each | {"id": f"local-{each['id']}", "model": "local-small"} for each in examples["recipes"]]
    return json.dumps(known | {"prompts": known["prompts"] + examples["prompts"], "recipes": recipes})


def seed(cloud: Cloud, outputs: dict[str, str], models_url: str, folder: Path) -> Seeded:
    """Write the registry anew, and keys and secrets where they are missing."""
    database = tables_of(cloud, outputs)
    text = document(models_url, outputs["BatchInferenceRole"])
    apply(registry_of(cloud, outputs), parse_registry(json.loads(text)), by="local", now=now_ms())
    kept = folder / "seeded.json"
    if kept.exists():
        seeded = Seeded(**json.loads(kept.read_text()))
        if database.get("registry", f"KEY#{key_hash(seeded.api_key)}", "KEY"):
            return seeded
    put_secret(cloud, outputs, "providers/local", "sk-local")
    seeded = Seeded(create_key(database, "demo", "demo"), create_key(database, "other", "other"), new_secret())
    for tenant in ("demo", "other"):
        put_secret(cloud, outputs, f"tenants/{tenant}/webhook", seeded.webhook_secret)
    kept.touch(mode=0o600)
    kept.write_text(json.dumps(asdict(seeded)))
    return seeded
