"""What goes with coming back sooner: Cox's regression, distributions of waits, forecasts judged."""
