"""MiniStack, patched: to be like AWS, to be quick, and to keep no more than it needs.

`fidelity`, `gateway`, `sockets`, `bedrock` and `limits` do the first, `speed` and `processes` the second, `memory` the
third. `python -m local.emulator` starts it.
"""
