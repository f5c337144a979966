"""MiniStack, patched where it is not like AWS (`fidelity`, `gateway`, `bedrock`), slow (`speed`) or hoards (`memory`).

`python -m local.emulator` starts it.
"""
