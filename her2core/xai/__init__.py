"""Why a network says what it says: heat maps, how they are drawn, and whether they are faithful.

In: what reading a patch left (features, hidden activations) or pixels. Out: an `Explanation`. Open
`methods` for the heat maps, `overlay` and `contours` for drawing, `whereabouts` for the tissue
under a map, `fidelity` for the measures and `fidelity_report` for their results.
"""
