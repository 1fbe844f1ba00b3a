"""The append-only log of reviews in SQLite or PostgreSQL, and what leaves it.

In: `ReviewDraft`, `PatchRecord`, verdicts. Out: `Review`, exports, studies. Open `store` for what
the pages call, `records` for the dataclasses, `schema` and `migrations` for the tables, `chain` for
the hash chain, `export` and `columns` for CSV, XLSX and JSON, `archive` for the ZIP, `study*` for
moving between installations, `backup` for copies, `retention` for how long images are kept,
`assignment_plan` and `double_reads` for who is to read what.
"""
