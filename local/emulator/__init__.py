"""MiniStack, patched: where it is not like AWS (`fidelity`, `bedrock`), slow (`speed`), or keeps too much (`memory`).

`python -m local.emulator` starts it.
"""
