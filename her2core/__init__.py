"""HER2 Review's library: from uploaded bytes to a recorded, explained review.

Arrows of import (an import contract checks them; each package uses what stands to its right):
serving, people, charts -> evaluation -> reviews, xai -> models -> preprocessing, stain -> scores,
settings, common. Nothing here imports streamlit, and nothing that the first page needs imports
tensorflow. Each package's docstring says which file to open for what.
"""

__version__ = "0.3.0"
