"""Training as a library: labelled patches in, finished bundles out. Commands are in `training/`.

Open `data` for reading, splitting and batching patches, `recipe` for what may be chosen, `fit` and
`loop` for the training itself, `finish` and `assemble` for the bundle that a run becomes, `adapt`
for fitting one to a laboratory, `known_patches` for what tells unfamiliar patches, `provenance` for
what a bundle learnt from, `synthetic` for the generator of synthetic patches.
"""
