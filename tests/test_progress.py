import io

from floecast.progress import PlainProgress, TerminalProgress, progress_for


def test_plain_lines_where_there_is_no_terminal():
    stream = io.StringIO()
    with progress_for(stream) as progress:
        assert isinstance(progress, PlainProgress)
        progress.stage("analysis", "begun")
        progress.advance(1, 10)
    assert stream.getvalue() == "analysis: begun\n"


def test_time_left_is_told_at_most_every_ten_seconds(monkeypatch):
    clock = iter([0.0, 0.0, 4.0, 12.0, 13.0])
    monkeypatch.setattr("floecast.progress.time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    progress = PlainProgress(stream)
    progress.stage("forecast", "begun")
    for done in (1, 3, 4):
        progress.advance(done, 6)
    assert stream.getvalue().splitlines() == ["forecast: begun", "  3 of 6, about 12 s left"]


def test_a_second_pass_of_a_stage_has_a_clock_of_its_own(monkeypatch):
    clock = iter([0.0, 0.0, 4.0, 6.0, 20.0, 30.0])
    monkeypatch.setattr("floecast.progress.time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    progress = PlainProgress(stream)
    progress.stage("forecast", "begun")
    for done in (1, 2, 1, 2):
        progress.advance(done, 3)
    assert stream.getvalue().splitlines() == ["forecast: begun", "  2 of 3, about 10 s left"]


def test_the_bar_begins_anew_for_a_second_pass():
    progress = TerminalProgress(io.StringIO())
    progress.stage("forecast", "begun")
    for done in (1, 2):
        progress.advance(done, 2)
    (task,) = progress._bar.tasks
    assert task.finished
    progress.advance(1, 2)
    assert not task.finished and task.percentage == 50
