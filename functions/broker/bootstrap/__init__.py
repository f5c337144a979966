"""Builds each use case once, at its first call: the one place where rooms and cloud meet.

Every builder imports what it needs and no more, so a function loads only its own rooms. The environment is the
template's (`template.yaml`, Globals); nothing else reads it.
"""
