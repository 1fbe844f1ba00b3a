"""Tools that know nothing of HER2: text, files, CSV, JSON, locks and threads.

In: plain values. Out: plain values. Open `text` for foreign text made harmless, `files` for files
that are there whole or not at all, `csv_table` for CSV no spreadsheet computes, `strict_json` for
JSON into dataclasses, `svg` for outlines drawn over an image, `fair_lock` and `parallel` for work
by several threads.
"""
