"""All drawing of figures: plotly for pages, PNG and HTML for reports. No streamlit.

In: verdicts, reports, agreement. Out: plotly figures, PNG bytes, one HTML page. Open `verdicts` for
the bars and the looks that all figures share, `evaluation` for reports, `agreement` for reviewers,
`report_page` for the HTML page.
"""
