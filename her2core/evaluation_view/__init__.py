"""How an evaluation report is shown: plots for the page (plotly), as PNG and as one HTML page."""
