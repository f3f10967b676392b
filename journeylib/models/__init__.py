"""The only place where mathematics is written: models fit summaries and give results; no SQL, files or pictures."""
