"""Speed, with the plain way beside it where a goal is missed: `python -m benchmarks`."""
