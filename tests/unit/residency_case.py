"""What tests of residency begin with: models and engines here and there, and a demand that all stays here."""

from typing import Any

from broker.jobs.head import Head

from tests.fakes.asking import row
from tests.fakes.flow import Flow
from tests.fakes.world import a_model

MAIL = "ann@example.com"
REDACTS = {"check": "personal_data", "action": "redact"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}


def registered(flow: Flow) -> Flow:
    """Models and engines here and there, and a demand that all stays here."""
    flow.world.register(
        a_model("small", status="disabled"),
        a_model("large", status="disabled"),
        a_model("here", name="here", regions=["eu"], capabilities=["vision"], rank=9),
        a_model("there", name="there", regions=["us"], capabilities=["vision"], rank=1),
        a_model("vectors", name="vectors", regions=["us"], tasks=["embed"], by_name_only=True),
        a_model("judge", name="judge", regions=["us"], by_name_only=True),
        a_model("judge-here", name="judge-here", regions=["eu"], by_name_only=True),
        a_model("names", name="names", regions=["us"], tasks=["entities"], by_name_only=True),
        a_model("names-here", name="names-here", regions=["eu"], tasks=["entities"], by_name_only=True),
        row("all", residency={"regions": ["eu"]}),
    )
    return flow


def said(*parts: Any, **more: Any) -> dict[str, Any]:
    content = parts[0] if len(parts) == 1 and isinstance(parts[0], str) else [*parts]
    return {"input": {"messages": [{"role": "user", "content": content}]}, **more}


def asked(flow: Flow) -> set[str]:
    """The models that were asked anything."""
    return {call.model for call in flow.stage.provider.calls}


def found(flow: Flow, head: Head) -> list[tuple[str, str, str]]:
    return [(each["stage"], each["kind"], each["action"]) for each in flow.look(head.id)["guardrails"]]
