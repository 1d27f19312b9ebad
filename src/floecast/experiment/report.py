"""Stage 5: the page."""

from floecast.report.page import write_report


def products(config):
    """What the stage writes."""
    return ["report.html"]


def make(case, noted):
    """Write the page and its figures."""
    write_report(case.folder.path)
