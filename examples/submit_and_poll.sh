# Submits a job and polls until it has ended. The reply's Location is where the job is.
set -eu

location=$(curl -sS --fail-with-body -o /dev/null -D - "$BROKER_URL/jobs" \
  -H "Authorization: Bearer $BROKER_API_KEY" -H 'Content-Type: application/json' \
  -d '{"input": "Summarize: The lamp needed nobody. The keeper slept."}' |
  tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
echo "submitted: $location"

# A long poll answers when the job has ended, or after 20 seconds.
until job=$(curl -sS --fail-with-body "$location?wait=20" -H "Authorization: Bearer $BROKER_API_KEY") &&
  echo "$job" | grep -q '"ended_at": "'; do
  sleep 1
done
echo "$job"
