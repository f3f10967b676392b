"""The runner: from a report spec to published, verified pages; knows paths, tags and parameters, no statistics.

``spec`` reads ``reports/*.toml``, ``plan`` finds what changed, ``runner`` starts a ``worker`` for each report
that must run (``execute`` and ``render`` inside it, ``kernel`` below it), ``publish`` swaps the site in one
step, ``manifest`` remembers. ``cli`` is the ``journey`` command.
"""
