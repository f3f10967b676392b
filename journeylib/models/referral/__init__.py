"""Who brought whom, how far it spreads, and what it is worth: the forest and its growth."""
