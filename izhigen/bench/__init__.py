"""Measuring a model's kernel beside a scalar loop of the same step and beside the machine's limits, all in one run."""
