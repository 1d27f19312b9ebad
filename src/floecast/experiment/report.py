"""The last stage: the page."""

from floecast.report.page import write_report


def products(config):
    """What the stage writes."""
    return ["report.html"]


def make(case, noted):
    """Write the page and its figures."""
    write_report(case.folder.path)


def draw(folder, progress):
    """Write the page of a folder that has no case, unless it is there already."""
    done = folder.done("report")
    progress.stage("report", "done before" if done else "begun")
    if not done:
        with folder.stage("report", products(None)):
            write_report(folder.path)
