"""Dialects of clients: of each, what its bodies are as a job request, and what a job is in its words.

A door is two pure mappings and knows no rule of its own: what is taken, who may do it and what becomes of it is decided
by the use cases behind all doors. A field of a dialect is mapped or refused by its name, never left out in silence.
"""
