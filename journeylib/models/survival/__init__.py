"""When customers come back: curves of spells and of recurrent events, from counts by day."""
