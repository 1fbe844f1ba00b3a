"""The parts of the Review page, one idea a file."""
