"""Asks with OpenAI's own package (`pip install openai`); only the base URL and the key are others."""

import os
import time

from openai import OpenAI

client = OpenAI(base_url=os.environ["BROKER_URL"], api_key=os.environ["BROKER_API_KEY"])

text = "Summarize: The lamp needed nobody. The keeper slept."
chat = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": text}])
print(f"{chat.model} says: {chat.choices[0].message.content}")

response = client.responses.create(model="auto", input=text, background=True, metadata={"order": "17"})
while response.status in ("queued", "in_progress"):
    time.sleep(1)
    response = client.responses.retrieve(response.id, extra_query={"wait": 20})  # a long poll
print(f"{response.id} is {response.status}: {response.output_text}")
