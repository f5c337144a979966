"""`broker compat …`: what a program, or a recording of its calls, would find here.

HAR or JSONL ──► trace ──► holding ──┐
                                     ├──► report
a command ──► recording (a proxy) ───┘
"""
