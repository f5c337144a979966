# Has a document worked on by a recipe, watches it, and prints what it says with the pages that this is from.
set -eu

.venv/bin/broker document run examples/documents/survey.pdf --recipe local-papers
