"""The process that `bench.pictures` measures: what the function imports, and one call. It says so, and waits."""

import sys

from broker import bootstrap
from broker.cloud import clients, database, media, payloads
from broker.providers import lookup
from broker.providers.openai import images as openai_images
from broker.providers.wire.base import Call
from handlers import invoke_model

LOADED = (bootstrap, clients, database, media, payloads, openai_images, invoke_model)

if __name__ == "__main__":
    url, count = sys.argv[1], int(sys.argv[2])
    given = {"text": "A lamp", "size": "1024x1024", "count": count}
    call = Call("generate_image", "gpt-image-1", given, {}, 60, "key", url)
    kept = lookup("openai").invoke(call) if count else None
    print(len(LOADED), kept is not None, flush=True)
    sys.stdin.read()
