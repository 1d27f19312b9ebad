"""Weather and what it does to the ice."""
