"""From a whole slide, core or tissue microarray to regions, their readings, a score and a map.

In: the file of a slide. Out: a `SlideReading`, what every reader said of every region, and from it
a `SlideScore`, tables, GeoJSON. Open `folder` for what is a slide, `slide` for reading any part of
a file (`files` for the formats, `tiff_slide` for TIFF of no scanner's own kind), `plan` for what is
read of it (`scale`, `tissue`, `regions` with grid and cores), `reading` for how a region is read,
`readings` for what is kept, `score` for how that becomes a score, `geojson` for QuPath's files
(`cells` for outlines of cells), `tables` for CSV and Parquet. Who reads many slides with many
workers is `her2core.serving.slide_runs`.
"""
