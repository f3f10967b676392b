"""Settings that every test shares."""

import os

import hypothesis

# The same examples on every run; `HYPOTHESIS_PROFILE=explore` looks for new ones.
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

# Steps of the peers: only the peers' own Python can import them.
collect_ignore = [f"benchmarks/{peer}_steps.py" for peer in ("lifetimes", "pymc", "surpyval")]
