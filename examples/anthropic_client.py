"""Asks with Anthropic's own package (`pip install anthropic`); only the base URL and the key are others."""

import os

from anthropic import Anthropic

# The package writes /v1 itself.
client = Anthropic(base_url=os.environ["BROKER_URL"].removesuffix("/v1"), api_key=os.environ["BROKER_API_KEY"])

text = "Summarize: The lamp needed nobody. The keeper slept."
message = client.messages.create(model="auto", max_tokens=200, messages=[{"role": "user", "content": text}])
print(f"{message.model} says: {message.content[0].text}")

with client.messages.stream(
    model="auto", max_tokens=200, messages=[{"role": "user", "content": text}]
) as stream:  # the finished answer, in the events of a stream
    print("".join(stream.text_stream))
