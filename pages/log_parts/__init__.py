"""Parts of the review log page."""
