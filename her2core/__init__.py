"""HER2 Review's shared library: from uploaded bytes to a recorded, explained review.

Data flows one way: patches -> models -> xai -> reviews -> evaluation (see docs/architecture.md).
Nothing here imports streamlit, and tensorflow is imported only inside models/, xai/ and training/,
within functions or modules that the first page does not need.
"""

__version__ = "0.1.0"
