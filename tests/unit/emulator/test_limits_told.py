"""The table in the documents has the limits that are held."""

from local.emulator.limits import figures
from local.servers import LAMBDA_CONCURRENCY, ROOT


def test_each_figure_is_told() -> None:
    told = (ROOT / "docs" / "operations.md").read_text().split("## Limits of the embedded cloud")[1].split("\n## ")[0]
    held = {name: value for name, value in vars(figures).items() if name.endswith(("_BYTES", "_MS"))}
    held |= {"LAMBDA_CONCURRENCY": int(LAMBDA_CONCURRENCY)}
    del held["ENTRY_TIME_BYTES"]
    assert len(held) >= 7
    assert {name for name, value in held.items() if f"{value:,}" not in told} == set()
