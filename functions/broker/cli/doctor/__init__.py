"""`broker doctor`: what keeps a deployed stack from working, and the command that mends each thing.

It reads and changes nothing; what it may not read is a finding too, and the rest goes on.
"""

from broker.cli.doctor.report import doctor

__all__ = ["doctor"]
