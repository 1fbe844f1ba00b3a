"""All drawing of figures: plotly for pages, PNG and HTML for reports. No streamlit.

In: verdicts, reports, agreement. Out: plotly figures, PNG bytes, one HTML page. Open `plots` for
what each plot of a report shows, `plotly_figures` for how pages draw it, `pictures` for PNG,
`verdicts` for the bars beside a patch, `words` for sentences and tables, `report_page` for the HTML
page, `theme` for the looks all share. Colours: `her2core.common.palette`.
"""
