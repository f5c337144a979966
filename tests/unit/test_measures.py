"""What is measured of facts that use cases tell."""

import json

import pytest
from broker.measures import circuit_changed


def test_a_circuit_that_changed_is_a_line_and_a_metric(capsys: pytest.CaptureFixture[str]) -> None:
    circuit_changed("small", "opened")
    line = json.loads(capsys.readouterr().out)
    assert (line["message"], line["model"], line["change"], line["CircuitChanges"]) == (
        "circuit changed",
        "small",
        "opened",
        [1.0],
    )
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert [sorted(dimensions) for dimensions in directive["Dimensions"]] == [["change", "model", "service"]]
