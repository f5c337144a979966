"""The card of the injection detector: its sources, its settings, and how it does on sources held out."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from bench.detector_held_out import MIXTURE, OWN_POWER, POWER, STRENGTH, Held, groups
from bench.detector_rows import SOURCE as OWN
from bench.detector_rows import Row

LICENCES = {
    "Giskard-AI/prompt-injections": "MIT",
    "NVIDIA/garak": "Apache-2.0, in part MIT",
    "PlexPt/awesome-chatgpt-prompts-zh": "MIT",
    "PolyAI-LDN/task-specific-datasets": "CC-BY-4.0",
    "ReversecLabs/spikee": "Apache-2.0",
    "clinc/oos-eval": "CC-BY-3.0",
    "compass-ctf-team/prompt_injection_research": "MIT",
    "dair-ai/Prompt-Engineering-Guide": "MIT",
    "hf:S-Labs/prompt-injection-dataset": "MIT",
    "hf:neuralchemy/Prompt-injection-dataset": "Apache-2.0, in part CC-BY-4.0",
    "hf:yanismiraoui/prompt_injections": "Apache-2.0",
    "kyahikaru/hinglish-prompt-injection-detector": "MIT",
    "lm-sys/FastChat": "Apache-2.0",
    "microsoft/presidio-research": "MIT",
    "microsoft/promptbench": "MIT",
    "secretlint/secretlint": "MIT",
    "sherdencooper/GPTFuzz": "MIT",
    "sinanw/llm-security-prompt-injection": "Apache-2.0",
    "swisskyrepo/PayloadsAllTheThings": "MIT",
    "tatsu-lab/stanford_alpaca": "Apache-2.0",
    "whylabs/langkit": "Apache-2.0",
    "yizhongw/self-instruct": "Apache-2.0",
    OWN: "this repository's",
}
"""As the sources state them."""

HEAD = """\
# The injection detector: how its weights were made

Made by `python -m bench.train_detector`; not edited by hand. The rows are public data and no part of the repository.
Sentences of our own (`bench/sentences/`) are the source `own`: learned from, never judged. What was tried and
lost is told in `docs/decisions/`.
"""

JUDGED = """\
## Sources held out

Recall where one in a hundred ordinary texts is flagged. A model sees neither the source of the attacks nor, in turn,
one half of the sources that hold ordinary texts alone; it is judged on those. Families of ordinary texts count by
the root of their size. The lexicon was written with some of these rows seen: what is wholly new may do worse.
"""

Field = Literal["source", "family", "lang"]


def card(rows: Sequence[Row], held: Sequence[Held], model: dict[str, Any], flagged: Any, date: str) -> str:
    """The card's text; `flagged` tells for each row whether the final model flags it."""
    together = [" + ".join(sorted(group)) for group in groups(rows) if len(group) > 1]
    facts = (
        f"- Date: {date or 'not given'}; {model['rows']} rows, SHA-256 of their sorted texts `{model['rows_sha256']}`",
        f"- {len(model['weights'])} weights; flagged from a score of {model['thresholds']['flag']} on (1 % of ordinary "
        f"texts of unseen sources), blocked from {model['thresholds']['block']} on (0.1 %)",
        f"- A source counts by its size to the power {POWER} (own: {OWN_POWER}); strength {STRENGTH}; mixture of the "
        f"highest window, the second and the mean {MIXTURE}",
        f"- Held out together, for they share texts: {'; '.join(together) or 'none'}",
        "",
    )
    return "\n".join((HEAD, *facts, JUDGED, *_held(rows, held), "## Rows\n", *_rows(rows, flagged))) + "\n"


def _held(rows: Sequence[Row], held: Sequence[Held]) -> Iterator[str]:
    strict = [
        each.scores[n] > each.pooled for each in held for n in np.flatnonzero(each.tested).tolist() if rows[n]["label"]
    ]
    sources = _caught(rows, held, "source")
    yield f"- all attacks: {np.mean([hit for hits in sources.values() for hit in hits]):.3f}"
    yield f"- all attacks, where each ordinary text counts alike: {np.mean(strict):.3f}"
    yield f"- mean of the sources: {np.mean([np.mean(hits) for hits in sources.values()]):.3f}\n"
    fields: tuple[tuple[str, Field], ...] = (("source", "source"), ("language", "lang"), ("family", "family"))
    for title, field in fields:
        yield f"| {title} | attacks | recall |\n|---|---|---|"
        yield from (
            f"| {name} | {len(hits) // 2} | {np.mean(hits):.2f} |"
            for name, hits in sorted(_caught(rows, held, field).items())
        )
        yield ""
    passed: dict[str, list[bool]] = defaultdict(list)
    for each in held:
        for number in np.flatnonzero(each.tested).tolist():
            if not rows[number]["label"]:
                row = rows[number]
                passed[f"{row['source']}, {row['family']}"].append(bool(each.scores[number] > each.flag))
    yield "| ordinary texts held out | judged | flagged |\n|---|---|---|"
    yield from (f"| {name} | {len(hits)} | {np.mean(hits):.1%} |" for name, hits in sorted(passed.items()))
    yield ""


def _caught(rows: Sequence[Row], held: Sequence[Held], field: Field) -> dict[str, list[bool]]:
    """By source, family or language: whether each attack was flagged, each twice."""
    caught: dict[str, list[bool]] = defaultdict(list)
    for each in held:
        for number in np.flatnonzero(each.tested).tolist():
            if rows[number]["label"]:
                caught[rows[number][field]].append(bool(each.scores[number] > each.flag))
    return caught


def _rows(rows: Sequence[Row], flagged: Any) -> Iterator[str]:
    yield "What the final model flags of what it learned from says little; it is here to show where labels doubt.\n"
    yield "| source | licence | attacks | flagged | ordinary | flagged |\n|---|---|---|---|---|---|"
    for source in sorted({row["source"] for row in rows}):
        cells = [source, LICENCES.get(source, "not known")]
        for label in (1, 0):
            hits = [flagged[n] for n, row in enumerate(rows) if row["source"] == source and row["label"] == label]
            cells += [str(len(hits)), f"{np.mean(hits):.3f}" if hits else ""]
        yield f"| {' | '.join(cells)} |"
