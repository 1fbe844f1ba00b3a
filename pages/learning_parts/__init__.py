"""Parts of the Learning page: fitting a bundle to reviews, and what was fitted so far."""
