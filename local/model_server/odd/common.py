"""What the odd replies of all formats share."""

INPUT_TOKENS, OUTPUT_TOKENS = 7, 30
"""What those tell that tell their usage."""

THOUGHT = "Let me think about that first"
