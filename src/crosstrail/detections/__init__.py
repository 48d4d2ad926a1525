"""What happened: rules over events, what is new, what one subject did, and the forms in which findings leave.

Everything here turns questions into statements of DuckDB's SQL over `events` (engines/analysis.py) and their rows into values.
It opens no lake, asks no cloud and never chooses accounts: answers/ hands the statements to the scoped workspace.
"""
