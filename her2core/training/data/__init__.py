"""Labelled patches: found in their folders, split by group, augmented, batched."""
