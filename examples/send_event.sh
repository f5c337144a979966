# Puts an InferenceRequested on the bus. What is printed is the event's id: the job's correlation_id.
set -eu

file=$(mktemp)
trap 'rm -f "$file"' EXIT
cat > "$file" <<JSON
[{"EventBusName": "$BROKER_BUS",
  "Source": "demo.orders",
  "DetailType": "InferenceRequested",
  "Detail": "{\"input\": \"Summarize: The lamp needed nobody. The keeper slept.\", \"metadata\": {\"order\": \"17\"}}"}]
JSON
aws events put-events --entries "file://$file" --query 'Entries[0].EventId' --output text
