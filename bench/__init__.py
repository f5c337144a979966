"""Speed and cost, measured: `python -m bench startup | price | throughput | all`."""
