"""How often customers buy and when they leave: Pareto/NBD, BG/NBD, MBG/NBD, and what is asked of them."""
