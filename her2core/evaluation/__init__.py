"""How good the readers are: figures with intervals, and reports. No drawing.

In: labelled patches with what each reader said, or reviews. Out: a `Report` or an
`AgreementReport`. Open `figures` for one reader's figures, `metrics` and `calibration` for a single
measure, `bootstrap` and `intervals` for intervals, `report` for report.json, `agreement` for
reviewers against networks.
"""
