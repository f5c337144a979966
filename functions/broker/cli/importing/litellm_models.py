"""A deployment of LiteLLM's `model_list` as a model of the registry.

Source: LiteLLM's documentation, "Proxy config.yaml" and "All settings", and the prefixes of "Providers".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.cli.importing.lines import Lines, Place

Json = dict[str, Any]

OWN = {
    **{
        name: name for name in ("openai", "azure", "anthropic", "bedrock", "gemini", "mistral", "cohere", "huggingface")
    },
    "cohere_chat": "cohere",
    "text-completion-openai": "openai",
}
"""LiteLLM's prefixes of providers that the broker has an adapter for."""

COMPATIBLE = {
    "groq": "https://api.groq.com/openai/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "together_ai": "https://api.together.xyz/v1",
    "fireworks_ai": "https://api.fireworks.ai/inference/v1",
    "xai": "https://api.x.ai/v1",
    "perplexity": "https://api.perplexity.ai",
    "ollama": "",
    "ollama_chat": "",
    "hosted_vllm": "",
    "vllm": "",
    "lm_studio": "",
    "openai_like": "",
    "custom_openai": "",
    "litellm_proxy": "",
}
"""Those that speak OpenAI's format, and where; empty where the configuration has to say."""

GUESSES = (
    (re.compile(r"(gpt|o[1-9]|chatgpt|text-embedding|dall-e|whisper|tts|omni-moderation)"), "openai"),
    (re.compile(r"claude"), "anthropic"),
    (re.compile(r"(mistral|codestral|ministral)"), "mistral"),
    (re.compile(r"command"), "cohere"),
)
"""Of a model without a prefix, as LiteLLM knows it by its name."""

TASKS = {
    **dict.fromkeys(("chat", "completion", "responses"), "chat"),
    "embedding": "embed",
    "image_generation": "generate_image",
    "audio_transcription": "transcribe",
    "audio_speech": "speak",
    "moderation": "moderate",
}
WITH_A_ROLE = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_profile_name", "aws_role_name")

PRICES = {
    "input_cost_per_token": "price_in_usd",
    "output_cost_per_token": "price_out_usd",
    "cache_read_input_token_cost": "price_cached_in_usd",
    "cache_creation_input_token_cost": "price_cache_write_usd",
    "cache_creation_input_token_cost_above_1hr": "price_cache_write_1h_usd",
}
CAPABILITIES = {
    "supports_function_calling": ("tools",),
    "supports_response_schema": ("json", "schema"),
    "supports_vision": ("vision",),
    "supports_reasoning": ("reasoning",),
}
USUAL = frozenset({"tools", "json"})
"""What a chat model is taken to do where nothing is said of it."""

DEAREST = 1_000
"""Dollars for a token, above which the registry takes no price."""

WINDOW, OUTPUT = 128_000, 4_096
"""Where nothing is said."""

ENVIRONMENT = "os.environ/"

SECRETS_IN_IT = re.compile(r"[@?#\s]")
"""In an address: a user with a password, or a query with a key."""


@dataclass(slots=True)
class Deployment:
    """One entry of the list: the model without its key, and the key."""

    group: str
    """The name that clients ask for."""
    model: Json
    credential: Json | None = None
    place: Place = ()


@dataclass(slots=True)
class Reader:
    """Reads entries; `secrets` are the names that keys have to be stored by, with where they are now."""

    lines: Lines
    secrets: dict[str, str] = field(default_factory=dict)

    def deployment(self, entry: Any, place: Place) -> Deployment | None:
        """An entry of the list; None where it cannot be carried over."""
        given = dict(entry) if isinstance(entry, Mapping) else {}
        group, params = given.pop("model_name", None), given.pop("litellm_params", None)
        if not isinstance(group, str) or not isinstance(params, Mapping) or not isinstance(params.get("model"), str):
            self.lines.note(place, "left out: it has no model_name, or no litellm_params with a model")
            return None
        if "*" in group or "*" in params["model"]:
            self.lines.note((*place, "model_name"), "left out: wildcards; name each model")
            return None
        told = given.pop("model_info", None)
        rest, info = dict(params), dict(told) if isinstance(told, Mapping) else {}
        at = (*place, "litellm_params")
        found = self._provider(rest.pop("model"), rest, at)
        if found is None:
            return None
        provider, name, known = found
        model: Json = {"provider": provider, "name": name, "tasks": [self._task(name, info, place)]}
        self._address(model, rest, at)
        self._size_and_price(model, rest, info, place)
        if "timeout" in rest:
            self._timeout(model, rest.pop("timeout"), at)
        credential = self._key(group, model, known, rest, at)
        for left in rest:
            self.lines.note((*at, str(left)), "not carried over")
        for left in given:
            self.lines.note((*place, str(left)), "not carried over")
        for left in info.keys() - {"id", "base_model"}:
            self.lines.note((*place, "model_info", str(left)), "not carried over")
        return Deployment(group, model, credential, place)

    def _provider(self, model: str, rest: Json, at: Place) -> tuple[str, str, str] | None:
        prefix, slash, name = model.partition("/")
        known = str(rest.pop("custom_llm_provider", "") or (prefix if slash else ""))
        if known and known != prefix:
            name = model
        if known in OWN:
            if known == "bedrock":
                name = name.removeprefix("converse/").removeprefix("invoke/")
                region, slash, bare = name.partition("/")
                if slash and re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region):
                    rest.setdefault("aws_region_name", region)
                    name = bare
            return OWN[known], name, OWN[known]
        if known in COMPATIBLE:
            rest.setdefault("api_base", COMPATIBLE[known])
            if known in ("ollama", "ollama_chat") and rest["api_base"] and not str(rest["api_base"]).endswith("/v1"):
                rest["api_base"] = f"{str(rest['api_base']).rstrip('/')}/v1"
            return "openai", name, known
        guessed = next((provider for pattern, provider in GUESSES if pattern.match(model)), None)
        if guessed and not slash:
            return guessed, model, guessed
        self.lines.note((*at, "model"), "left out: the broker has no adapter for its provider")
        return None

    def _task(self, name: str, info: Json, place: Place) -> str:
        mode = info.pop("mode", None)
        if mode is None:
            return "embed" if "embed" in name else "chat"
        if str(mode) not in TASKS:
            self.lines.note((*place, "model_info", "mode"), "there is no such task; chat is put")
        return TASKS.get(str(mode), "chat")

    def _address(self, model: Json, rest: Json, at: Place) -> None:
        given = "api_base" in rest or "base_url" in rest
        base = rest.pop("api_base", None) or rest.pop("base_url", None)
        region = rest.pop("aws_region_name", None)
        if model["provider"] == "bedrock":
            given, base = region is not None, region
        if isinstance(base, str) and base and not base.startswith(ENVIRONMENT) and not SECRETS_IN_IT.search(base):
            model["endpoint"] = base
        elif given or model["provider"] == "azure":
            said = isinstance(base, str) and base.startswith(ENVIRONMENT)
            where = (
                f"it is in {slug(str(base).removeprefix(ENVIRONMENT))}" if said else "none is there that can be copied"
            )
            what = f"its address has to be put as endpoint ({where}); until then it is disabled"
            self.lines.note((*at, "api_base"), what)
            model["status"] = "disabled"
        version = rest.pop("api_version", None)
        if model["provider"] == "azure" and version is not None:
            if str(version).startswith(ENVIRONMENT):
                self.lines.note((*at, "api_version"), "it has to be put as options.api_version")
            else:
                model["options"] = {"api_version": str(version)}

    def _size_and_price(self, model: Json, rest: Json, info: Json, place: Place) -> None:
        output = _whole(info.pop("max_output_tokens", None)) or _whole(info.pop("max_tokens", None))
        window = _whole(info.pop("max_input_tokens", None))
        if window is None or (output is None and model["tasks"] == ["chat"]):
            self.lines.note(place, f"its window is not said: {WINDOW} and {OUTPUT} tokens are put where it is not")
        model |= {"context_window": window or WINDOW, "max_output_tokens": output or OUTPUT}
        for theirs, ours in PRICES.items():
            price = _number(rest.pop(theirs, None), info.pop(theirs, None))
            if price is not None and price > DEAREST:
                self.lines.note((*place, theirs), "not carried over: it is dollars for one token")
            elif price is not None:
                model[ours] = round(price * 1_000_000, 6)
        if "price_cache_write_usd" not in model and model.pop("price_cache_write_1h_usd", None) is not None:
            self.lines.note(place, "what an hour of a prompt cache costs is left out: what minutes cost is not said")
        if "price_in_usd" not in model:
            self.lines.note(place, "its price is not said: it costs nothing until you put it")
        model.setdefault("price_in_usd", 0)
        model.setdefault("price_out_usd", 0)
        if model["tasks"] == ["chat"]:
            said = {each: info.pop(each, None) for each in CAPABILITIES}
            named = {word for each, words in CAPABILITIES.items() for word in words if said[each] is True}
            refused = {word for each, words in CAPABILITIES.items() for word in words if said[each] is False}
            model["capabilities"] = sorted((named | USUAL) - refused)

    def _timeout(self, model: Json, given: Any, at: Place) -> None:
        seconds = _number(given)
        if seconds is None or not 1 <= seconds <= 290:
            self.lines.note((*at, "timeout"), "not carried over: it is from 1 to 290 seconds")
        else:
            model["timeout_s"] = int(seconds)

    def _key(self, group: str, model: Json, known: str, rest: Json, at: Place) -> Json | None:
        key = rest.pop("api_key", None)
        limits = {ours: _whole(rest.pop(theirs, None)) for theirs, ours in LIMITS.items()}
        weight = _number(rest.pop("weight", None))
        if model["provider"] == "bedrock":
            for name in (each for each in WITH_A_ROLE if each in rest):
                rest.pop(name)
                self.lines.note((*at, name), "not carried over: the functions' own role is the key to Bedrock")
            return None
        if isinstance(key, str) and key.startswith(ENVIRONMENT):
            variable = key.removeprefix(ENVIRONMENT)
            secret = f"providers/{slug(variable)}"
            self.secrets[secret] = f"what {slug(variable).upper().replace('-', '_')} has"
        elif key:
            secret = f"providers/{slug(group)}-{at[1]}"
            self.secrets[secret] = "a key that the configuration writes out"
            self.lines.note((*at, "api_key"), f"the key itself is not copied: store it as {secret}")
        else:
            if COMPATIBLE.get(known) == "" or (known == "openai" and "endpoint" in model):
                return None  # a server of one's own, that takes who comes
            secret = f"providers/{known}"
            self.secrets[secret] = f"the key of {known}, which the configuration does not name"
        named: Json = {"name": slug(secret.partition("/")[2]), "secret": secret}
        if weight is not None:
            named["weight"] = min(max(round(weight * 100), 0), 10_000)
        if bounds := {each: value for each, value in limits.items() if value}:
            named["limits"] = bounds
        return named


LIMITS = {"rpm": "requests_per_minute", "tpm": "tokens_per_minute"}


def slug(name: str) -> str:
    """A name as ids, secrets and keys may have it."""
    made = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:100]
    return made if made and made[0].isalnum() else f"x{made}"


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and 1 <= number <= 1_000_000_000 else None


def _number(*values: Any) -> float | None:
    for value in values:
        try:
            number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
        except ValueError:
            continue
        if number is not None and 0 <= number < 1e12:
            return number
    return None
