"""Out-of-distribution scores: how unlike the training patches an input is.

Open `novelty` for the score, `novelty_file` for how its references are stored, `appearance` for
how a patch looks, `other_stains` for stains a HER2 reader must not judge.
"""
