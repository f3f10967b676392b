"""What customers are worth: spend, contracts, lifetime value, forecasts with the luck of single purchases."""
