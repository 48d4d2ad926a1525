"""A report of an investigation, for people who were not there: as one HTML page, as Markdown, as JSON.

`gathered.py` asks everything, `sections.py` says it in an order, and each form writes the same sections. Nothing is decided twice.
"""
