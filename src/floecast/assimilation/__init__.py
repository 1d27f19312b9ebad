"""Data assimilation: ensemble methods that know nothing of ice."""
