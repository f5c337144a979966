"""Amazon Rekognition: what is on a picture, whether it is fit to be shown, and what is written on it.

Source: Amazon Rekognition API Reference. Each operation is one image on the bill.
"""

from broker.errors import Rejected
from broker.providers.aws.client import Json, MakeClient, Row, make_client
from broker.providers.aws.service import AwsService, Exchange, features, image, rows, score, text
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.exchange import unsupported_task
from broker.providers.wire.options import number
from broker.providers.wire.verdicts import only, threshold, verdict

LARGEST_BYTES = 5_242_880
"""Of a picture that is sent as bytes."""
MOST_LABELS = 50
LEAST_TOLD = 0.5
"""The service tells no label of which it is less sure, unless it is told to."""

FEATURES = frozenset({"moderation", "text"})

ERRORS: dict[str, Row] = {
    "InvalidImageFormatException": (Rejected, "takes no picture of this format"),
    "ImageTooLargeException": (Rejected, "takes no picture of this size"),
    "InvalidS3ObjectException": (Rejected, "cannot read the picture"),
}


class Rekognition:
    """See `base.Provider`.

    Options of a model: `max_labels`; `min_confidence` from 0 to 1, below which nothing is told; `threshold` of
    `moderate`, whose categories are the service's own labels.
    """

    tasks = frozenset({"analyze_image", "moderate"})

    def __init__(self, make: MakeClient = make_client) -> None:
        self._service = AwsService("rekognition", "Rekognition", ERRORS, make)

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        tasks = {"analyze_image": _analyze, "moderate": _moderate}
        if call.task not in tasks:
            raise unsupported_task()
        return tasks[call.task](call, Exchange(self._service, call))


def _analyze(call: Call, exchange: Exchange) -> Answer:
    asked = features(call, FEATURES)
    picture = image(call, LARGEST_BYTES)
    least: Json = {}
    if "min_confidence" in call.options:
        least["MinConfidence"] = number(call, "min_confidence", LEAST_TOLD, 0, 1) * 100
    most = int(number(call, "max_labels", MOST_LABELS, 1, 1_000))
    labels = exchange.ask("detect_labels", Image=picture, MaxLabels=most, **least)
    output: Json = {"labels": [_label(each) for each in rows(labels.get("Labels"), "labels")]}
    if "moderation" in asked:
        found = exchange.ask("detect_moderation_labels", Image=picture, **least)
        output["moderation"] = [_label(each) for each in rows(found.get("ModerationLabels"), "labels")]
    if "text" in asked:
        written = rows(exchange.ask("detect_text", Image=picture).get("TextDetections"), "text")
        output["text"] = [_line(each) for each in written if each.get("Type") == "LINE"]
    return exchange.answer(output, units={"images": exchange.requests})


def _moderate(call: Call, exchange: Exchange) -> Answer:
    only(call, "file")
    picture = image(call, LARGEST_BYTES)
    flagged_at = threshold(call)
    least = min(flagged_at, number(call, "min_confidence", LEAST_TOLD, 0, 1))
    found = exchange.ask("detect_moderation_labels", Image=picture, MinConfidence=least * 100)
    labels = [_label(each) for each in rows(found.get("ModerationLabels"), "labels")]
    categories: dict[str, float] = {}
    for label in labels:
        categories[label["name"]] = max(label["score"], categories.get(label["name"], 0.0))
    return exchange.answer(verdict(categories, flagged_at), units={"images": exchange.requests})


def _label(found: Json) -> Json:
    label = {"name": text(found.get("Name"), "label"), "score": score(found.get("Confidence"), 100)}
    parent = found.get("ParentName")
    return {**label, "parent": parent} if isinstance(parent, str) and parent else label


def _line(found: Json) -> Json:
    return {"text": text(found.get("DetectedText"), "line"), "score": score(found.get("Confidence"), 100)}
