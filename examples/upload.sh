# Puts a text into the inbox, and waits for what comes of it in the outbox. The key begins with the tenant.
set -eu

key="$BROKER_TENANT/example-$$/minutes.txt"
aws s3 cp --only-show-errors examples/minutes.txt "s3://$BROKER_INBOX/$key"
echo "put $key"

until aws s3 cp --only-show-errors "s3://$BROKER_OUTBOX/$key.result.json" - 2> /dev/null; do
  aws s3 cp --only-show-errors "s3://$BROKER_OUTBOX/$key.error.json" - 2> /dev/null && exit 1
  sleep 2
done
