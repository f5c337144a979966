# Keeps a file, reads it back and deletes it. A form takes files of up to 4.5 MB; `broker files put` sends any size.
set -eu

file=$(curl -sS --fail-with-body "$BROKER_URL/files" -H "Authorization: Bearer $BROKER_API_KEY" \
  -F purpose=user_data -F 'expires_after[seconds]=3600' -F file=@examples/minutes.txt)
echo "$file"
id=$(echo "$file" | sed 's/.*"id": "\(file-[0-9a-f]*\)".*/\1/')

# The API answers with a link to the bucket; curl sends its credential to no other host.
curl -sS --fail-with-body -L "$BROKER_URL/files/$id/content" -H "Authorization: Bearer $BROKER_API_KEY"

.venv/bin/broker files list
.venv/bin/broker files delete "$id"
