"""The demo's documents: the folder of the examples, put into the inbox below a recipe, and what becomes of each."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from local.servers import ROOT

FOLDER = ROOT / "examples" / "documents"

RECIPE = "local-papers"
"""The recipe `papers` of examples/registry, for a model of this machine."""

SUFFIX = ".papers.json"

SHOWN_WHOLE = "survey.pdf"

PATIENCE_S = 300

Say = Callable[[str], None]


def run_folder(s3: Any, outputs: dict[str, str], say: Say) -> dict[str, Any]:
    """Put all of it at once, and show what comes as it comes; gives the results by name, None for those that lack."""
    prefix = f"demo/{RECIPE}/{uuid.uuid4().hex[:8]}/"
    names = sorted(each.name for each in FOLDER.iterdir())
    for name in names:
        s3.put_object(Bucket=outputs["InboxBucket"], Key=prefix + name, Body=(FOLDER / name).read_bytes())
    say(f"   {len(names)} files of examples/documents put into the inbox below {prefix}")
    found: dict[str, Any] = dict.fromkeys(names)
    until = time.monotonic() + PATIENCE_S
    while not all(found.values()) and time.monotonic() < until:
        listed = s3.list_objects_v2(Bucket=outputs["OutboxBucket"], Prefix=prefix).get("Contents", [])
        for key in (each["Key"] for each in listed):
            name = key.removeprefix(prefix).removesuffix(SUFFIX).removesuffix(".error.json")
            if found[name] is None:
                body = s3.get_object(Bucket=outputs["OutboxBucket"], Key=key)["Body"].read()
                found[name] = json.loads(body)
                say(f"   {name}: {_line(found[name])}")
        time.sleep(0.5)
    if (whole := found[SHOWN_WHOLE]) and not whole["error"]:
        say(f"   all of {SHOWN_WHOLE}:")
        say("   " + json.dumps(whole["answer"], indent=2, ensure_ascii=False).replace("\n", "\n   "))
    return found


def _line(result: dict[str, Any]) -> str:
    if result["error"]:
        return f"{result['error']['code']}: {result['error']['message']}"
    pages = ", ".join(str(each["page"]) for each in result["citations"]["pages"])
    return f"{result['kind']}, {result['pages']} pages, cites {pages}: “{result['answer']['summary']}”"
