"""Documents as text: what a file says, page by page, whatever its kind.

    file ──► sandbox ──► worker (a process of its own) ──► kinds ──► extract/<kind> ──► pages, scans, children
                │ scans ──► OCR ──► pages
                └ children ──► sandbox, one level deeper

Nothing of a file is executed, and nothing that it refers to is fetched. Each file is read by a process that has no
credentials, and is ended at its limits of memory, time, pages and output (`limits`). `extract/` has one file for each
kind, and `extract/__init__` the table of them. The libraries that these import are in no other function's way.
"""
