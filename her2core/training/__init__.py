"""Training as a library: labelled patches in, finished weights out. Commands are in `training/`.

Open `data` for reading, splitting and batching patches, `recipe` for what may be chosen, `fit` and
`loop` for the training itself, `synthetic` for the generator of synthetic patches.
"""
