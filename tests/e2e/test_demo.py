"""The demo is a promise of the README; here it runs as it stands."""

from local.demo import Demo
from tests.e2e.stack import Stack


def test_the_demo_runs_to_its_end(stack: Stack) -> None:
    lines: list[str] = []
    Demo(stack.cloud, stack.outputs, stack.seeded, lines.append).run()
    assert "the signature verifies" in lines[-1]
