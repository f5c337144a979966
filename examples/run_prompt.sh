# Registers a prompt, shows what it takes, and runs it by its variables.
set -eu

.venv/bin/broker apply examples/prompt.yaml
.venv/bin/broker prompts

curl -sS --fail-with-body "$BROKER_URL/prompts/release-notes/run" -H "Authorization: Bearer $BROKER_API_KEY" \
  -H 'Content-Type: application/json' -H 'Prefer: wait=20' \
  -d '{"variables": {"changes": ["Jobs tell their links in full.", "The list of prompts can be read."]}}'
