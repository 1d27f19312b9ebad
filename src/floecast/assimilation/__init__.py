"""Data assimilation: methods that know nothing of ice, and what adapts them to it."""
