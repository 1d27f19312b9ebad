"""Files: CF datasets, regridding, checkpoints, and readers of other people's products."""
