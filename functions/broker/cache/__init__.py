"""Answers that are kept or shared: the exact cache, the semantic one, and one call for identical jobs under way."""
