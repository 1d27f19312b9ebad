"""The history of benches: what is written, compared and refused."""

import json

import pytest

from floecast import cli
from floecast.bench import history
from floecast.core.errors import InputError


def told(value, name="winton", cpu="one", **figures):
    return {
        "bench": name,
        "figures": {"mean_thickness_m": value, **figures},
        "machine": {"cores": 2, "cpu": cpu, "devices": "cpu", "load": 0.1, "jax": "0"},
        "seconds": 1.0,
        "reference": {},
    }


def test_last_run_is_set_against_the_one_before_on_the_same_machine(tmp_path):
    file = tmp_path / "bench.jsonl"
    history.append(file, told(2.0), {})
    history.append(file, told(9.0, cpu="other"), {})
    history.append(file, told(8.0), {"spacing_km": 8})
    history.append(file, told(3.0, new=1.0, absent=None), {"progress": object()})
    compared = history.compare(history.read(file))
    assert [one["figures"]["mean_thickness_m"] for one in compared] == [
        [2.0, 3.0, 1.5],
        [None, 9.0, None],
        [None, 8.0, None],
    ]
    assert compared[0]["figures"]["new"] == [None, 1.0, None]
    assert compared[0]["figures"]["absent"] == [None, None, None]
    lines = history.table(compared).splitlines()
    assert any(line.split() == ["mean_thickness_m", "2", "3", "1.500"] for line in lines)
    assert any("spacing_km=8" in line and "the first run" in line for line in lines)


def test_a_line_tells_date_version_and_machine(tmp_path):
    history.append(tmp_path / "bench.jsonl", told(2.0), {"work": tmp_path})
    (line,) = (tmp_path / "bench.jsonl").read_text().splitlines()
    entry = json.loads(line)
    assert entry["date"].endswith("Z") and entry["floecast"] and entry["machine"]["cpu"] == "one"
    assert entry["options"] == {"work": str(tmp_path)}


@pytest.mark.parametrize("content", [b"no json\n", b'{"bench": "winton"}\n', b"[1]\n", b"\xff\n"])
def test_a_file_that_is_no_history_is_refused_and_kept(tmp_path, content):
    file = tmp_path / "bench.jsonl"
    file.write_bytes(content)
    with pytest.raises(InputError, match="line 1 is no run of a bench"):
        history.append(file, told(2.0), {})
    assert file.read_bytes() == content


def test_refusals(tmp_path):
    with pytest.raises(InputError, match="no history at"):
        history.read(tmp_path / "none")
    with pytest.raises(InputError, match="cannot write"):
        history.append(tmp_path / "no" / "folder", told(2.0), {})


def test_command_appends_and_compares(tmp_path, monkeypatch, capsys):
    file = tmp_path / "bench.jsonl"
    values = iter([told(2.0), told(5.0)])
    monkeypatch.setattr("floecast.bench.bench", lambda name, **options: next(values))

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["floecast", "bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        printed = capsys.readouterr()
        return left.value.code or 0, printed.out + printed.err

    for _ in range(2):
        assert call("winton", "--history", file)[0] == 0
    assert call("history", file)[1].splitlines()[-1].split()[-1] == "2.500"
    (compared,) = json.loads(call("history", file, "--json")[1])
    assert compared["figures"]["mean_thickness_m"] == [2.0, 5.0, 2.5]
    for wrong in (("history",), ("winton", file)):
        code, text = call(*wrong)
        assert code == 2 and "floecast bench history FILE" in text
