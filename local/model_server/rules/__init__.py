"""What services refuse of a request's body, one file for each format: `check(body)` raises Problem in its words.

The sources are the services' API references and what they are known to answer. Only what a service refuses is here,
not what a model then makes of the rest. Bodies come from anywhere, so nothing is taken for granted of their shape.
"""
