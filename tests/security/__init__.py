"""Attacks, as a list to be read: each test is named after what does not work."""
