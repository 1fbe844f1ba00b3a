"""Parts of the Worklist page."""
