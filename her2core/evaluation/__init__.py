"""How good the readers are: figures with intervals, and reports. No drawing.

In: labelled patches with what each reader predicted, or reviews. Out: a `Report` or an
`AgreementReport`. Open `figures` for one reader's figures, `calibration` for
probabilities, `intervals` for intervals and resampling, `report` for report.json, `agreement` for
reviewers against networks.
"""
