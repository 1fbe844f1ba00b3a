"""Stain measurement without any network: the third reader.

`density.measure` says how brown a patch is. `report.measure_membranes` looks for cells, traces the
rim of each (`nuclei`, `hidden`, `rims`), tells membrane from other brown (`membranes`, `belief`)
and tumour from other cells (`tumour`), says how completely and how densely each rim is stained
(`cells`) and applies the ASCO/CAP rule to the shares (`reading`, which is what is kept). `drawing`
draws the cells.
"""
