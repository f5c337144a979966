# Runs the rows of a file as one batch, watches it, and prints what came of each.
set -eu

.venv/bin/broker batch estimate examples/lamps.jsonl
.venv/bin/broker batch run examples/lamps.jsonl --dedupe --max-cost-usd 1 --out "${TMPDIR:-/tmp}/lamps.results.jsonl"
cat "${TMPDIR:-/tmp}/lamps.results.jsonl"
