"""What all errors have in common whose text is one sentence for people."""


class RefusalError(Exception):
    """Something cannot be done; str(error) is one sentence on why, and on what to do."""
