"""The Trino dialect, compiled to DuckDB: every statement is parsed, typed by Trino's rules and written anew.

Nothing of a caller's text reaches DuckDB except as quoted literals; names are resolved here and generated there.
"""
