"""JSON Schema: what is a schema, and whether a value is valid under one, at a cost that is known before.

A schema is walked as a graph before anything is made of it. References are followed inside it and never fetched.
`jsonschema_rs` then does the work: its patterns take linear time, or stop after a number of steps.
"""
