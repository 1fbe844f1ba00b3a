"""Parts of the Slides page."""
