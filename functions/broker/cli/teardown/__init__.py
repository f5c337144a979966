"""`broker teardown`: a stack and all that it holds, as docs/removing.md says it by hand.

What belongs to the stack, CloudFormation says, and of secrets the key that they are encrypted with; no name is taken
for a sign of it. A teardown that was broken off goes on when it is begun again: what is gone already is passed over.
"""

from broker.cli.teardown.command import teardown

__all__ = ["teardown"]
