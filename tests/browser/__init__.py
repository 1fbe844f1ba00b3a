"""The whole application in a real browser."""
