"""Clean rows to small summaries: the only place where questions are put in SQL.

Each function returns text in the portable part of DuckDB's dialect, from typed arguments alone; no text of
a user's ever enters it. Every result is ordered, so that the same rows give the same bytes on every run.
"""
