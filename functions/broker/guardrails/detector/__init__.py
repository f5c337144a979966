"""The detector of injections and jailbreaks: a score, and the features that made it."""

from broker.guardrails.detector.model import Thresholds, Verdict, judge_text, thresholds

__all__ = ["Thresholds", "Verdict", "judge_text", "thresholds"]
