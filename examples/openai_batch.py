"""Has many questions answered as one batch, with OpenAI's own package; each row may name another model."""

import json
import os
import time

from openai import OpenAI

client = OpenAI(base_url=os.environ["BROKER_URL"], api_key=os.environ["BROKER_API_KEY"])

rows = [
    {
        "custom_id": f"row-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "auto",
            "messages": [{"role": "user", "content": f"Summarize: Lamp {number} needed nobody."}],
        },
    }
    for number in range(3)
]
data = "\n".join(json.dumps(row) for row in rows).encode()
file = client.files.create(file=("rows.jsonl", data), purpose="batch")
batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
while batch.status not in ("completed", "failed", "expired", "cancelled"):
    time.sleep(2)
    batch = client.batches.retrieve(batch.id)
print(f"{batch.id} is {batch.status}, with {batch.request_counts.completed} of {batch.request_counts.total} answers")
for line in client.files.content(batch.output_file_id).text.splitlines():
    result = json.loads(line)
    print(f"{result['custom_id']}: {result['response']['body']['choices'][0]['message']['content']}")
