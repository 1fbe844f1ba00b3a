"""What a person should know of a patch before trusting a verdict on it. No network.

In: a `Patch`. Out: a `QualityReport` with findings, each a code, a sentence, and whether
agreement of the networks beside it still counts. Open `assessment` for the whole, `findings` for
the sentences, and one file a check: `pen_marks`, `tissue_folds`, `stain_range`, `mixture_line`
(colours against haematoxylin and DAB).
"""
