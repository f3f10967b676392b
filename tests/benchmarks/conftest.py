collect_ignore = ["lifetimes_steps.py", "pymc_steps.py"]  # run with the peers' own Python, which alone can import them
