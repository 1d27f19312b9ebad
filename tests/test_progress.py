import io

from floecast.progress import PlainProgress, progress_for


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
