"""The two networks: what they are, how they are stored, run, calibrated, and what they know.

In: pixels, float32 (n, 224, 224, 3) in [0, 1], and a bundle folder. Out: a `Verdict` per network.
Open `architectures` for the networks' layers, `bundles` for weights and cards on disk, `backends`
for running them, `ood` for inputs unlike the training patches, `conformal` for prediction sets,
`verdict` for what a network says.
"""

import os

# TensorFlow, which is imported later if at all, otherwise greets every start with its build flags.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
