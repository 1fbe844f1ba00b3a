"""Speed against the plain way of doing the same; `python -m benchmarks` runs all of it once."""
