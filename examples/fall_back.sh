# Registers a route with a fallback, and shows by the job's attempts that it was used.
set -eu

.venv/bin/broker apply examples/fallback.yaml
sleep 31 # a change of the registry shows within half a minute

.venv/bin/broker submit --wait --body - <<JSON
{"input": "Summarize: The lamp needed nobody. The keeper slept.", "routing": {"query_type": "draft"}}
JSON
