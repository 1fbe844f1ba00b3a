"""HER2 Review's library: from uploaded bytes to a recorded, explained review.

Packages import from lower layers only; the order stands in pyproject.toml, and `make lint` checks
it. Nothing here imports streamlit, and nothing that the first page needs imports
tensorflow. Each package's docstring says which file to open for what.
"""

__version__ = "0.5.0"
