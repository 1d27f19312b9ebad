"""The report of a run: one page that opens from disk, and its figures."""

from floecast.io import accessor  # noqa: F401 (registers `dataset.floecast`)
