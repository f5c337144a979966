"""Engines: models and services that judge a text for a rule. Pure: what they are asked, and what their answers mean.

`questions` says what an engine is told, `verdicts` reads its answer, `weighing` makes findings of it by the rule.
"""
