"""What is to be cited: floecast itself, and what a run used."""

import json
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

import netCDF4
import pytest
import yaml

from floecast import cli
from floecast.config import load_config
from floecast.io.citation import as_bibtex, as_dict, as_text, citations, keys_of
from floecast.io.product_owner import product_in
from floecast.io.products import PRODUCTS as LAYOUTS
from floecast.io.references import FLOECAST, OF_NO_OWNER, PRODUCTS, REFERENCES
from floecast.io.run_folder import RunFolder, input_record

ROOT = Path(__file__).parents[2]


@pytest.fixture
def floecast(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["floecast", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        printed = capsys.readouterr()
        return SimpleNamespace(returncode=left.value.code or 0, **printed._asdict())

    return call


def entries(bibtex):
    """Fields of each BibTeX entry by key; refuses what BibTeX would not read."""
    found = {}
    for kind, key, body in re.findall(r"^@(\w+)\{(\w+),\n(.*?)\n\}$", bibtex, re.M | re.S):
        fields = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", body, re.M))
        assert len(fields) == len(body.splitlines()) and body.count("{") == body.count("}")
        found[key] = fields | {"kind": kind}
    return found


def manifest(config, inputs=(), stages=("analysis",)):
    inputs = [{"path": f"{name}.nc", "product": name} for name in inputs]
    return {"config": config, "inputs": inputs, "stages": [{"name": name} for name in stages]}


def test_citation_file_and_package_tell_the_same(floecast):
    file = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    printed = entries(floecast("cite").out)["floecast"]
    names = [author["name"] for author in file["authors"]]
    assert names == list(FLOECAST.authors) == [one["name"] for one in project["authors"]]
    assert file["title"] == FLOECAST.title == project["name"]
    assert file["version"] == printed["version"] == project["version"]
    assert FLOECAST.note == f"{file['abstract']} License: {file['license']}"
    assert file["license"] == project["license"] and file["type"] == printed["kind"]


def test_every_reference_is_an_entry():
    everything = entries(as_bibtex([("all", tuple(REFERENCES))]))
    assert set(everything) == {"floecast", *REFERENCES}
    for key, fields in everything.items():
        assert {"title", "author"} <= set(fields), key
        if fields["kind"] == "article":
            assert {"journal", "volume", "pages", "year"} <= set(fields), key
    dois = [reference.doi for reference in REFERENCES.values() if reference.doi]
    assert all(re.fullmatch(r"10\.\d{4,5}/\S+", doi) for doi in dois)
    assert len(set(dois)) == len(dois)


def test_every_product_has_its_reference():
    keys = {key for keys in PRODUCTS.values() for key in keys}
    assert keys <= set(REFERENCES) and not set(PRODUCTS) & OF_NO_OWNER
    assert {product.name for product in LAYOUTS} <= set(PRODUCTS) | OF_NO_OWNER


def test_the_readme_asks_for_the_same_papers():
    readme = (ROOT / "README.md").read_text()
    cited = {doi.lower() for doi in re.findall(r"\(https://doi.org/([^)]+)\)", readme)}
    told = " ".join(f"{one.doi} {one.note}" for one in REFERENCES.values()).lower()
    assert len(cited) > 5 and not [doi for doi in cited if doi not in told]


@pytest.mark.parametrize(
    ("example", "expected", "absent"),
    [
        ("twin", {"hunt2007", "thorndike1982"}, {"lang2024", "olason2022", "courtier1994"}),
        ("january_2015_en4dvar", {"buehner2010", "hunt2004", "lang2024"}, {"olason2022"}),
        ("full_chain", {"olason2022", "lemarie2021", "lang2024", "winton2000"}, set()),
    ],
)
def test_methods_of_the_examples(example, expected, absent):
    config = load_config(ROOT / "examples" / f"{example}.yaml").model_dump(mode="json")
    keys = set(keys_of(citations(manifest(config))))
    assert expected <= keys and not absent & keys
    assert not {"goessling2016"} & keys
    assert "goessling2016" in keys_of(citations(manifest(config, stages=["verification"])))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"cycles": 3, "method": "envar4d", "twin": {"boundary_layer": True}}, "liu2008"),
        ({"cycles": 3, "method": "free_run"}, "lang2024"),
        ({"analysis": "runs/a", "days": 3}, "lang2024"),
        (
            {"rheology": "mevp", "thermodynamics": "zero_layer", "transport": "upwind"},
            "semtner1976",
        ),
        ({"stages": [], "preset": "arctic100"}, "liu2018"),
        ({"source": {"kind": "files"}}, "bradbury2018"),
    ],
)
def test_other_folders_are_understood(config, expected):
    used = citations(manifest(config))
    assert expected in keys_of(used)
    assert set(keys_of(used)) <= set(REFERENCES)


def test_data_are_cited_and_unknown_files_named():
    used = citations(manifest({}, ["nsidc0081", "latlon_forcing"]))
    assert ("nsidc0081 nsidc0081.nc", ("nsidc0081",)) in used
    assert "% latlon_forcing latlon_forcing.nc: cite its owner" in as_bibtex(used)
    assert "doi:10.5067/U8C09DWVX9LM" in as_text(used)
    assert as_dict(used)["references"]["nsidc0081"]["year"] == 1999


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"institution": "European Centre for Medium-Range Weather Forecasts"}, "era5"),
        ({"source": "NOAA/NCEP GFS"}, "gfs"),
        ({"title": "AROME_Arctic_2p5km"}, "arome_arctic"),
        ({"title": "CARRA from ECMWF", "GRIB_centre": "ecmf"}, "carra"),
        ({}, "latlon_forcing"),
    ],
)
def test_the_maker_of_weather_is_told_by_its_attributes(tmp_path, attributes, expected):
    path = tmp_path / "weather.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", 1), ("latitude", 2), ("longitude", 2)):
            file.createDimension(name, size)
            file.createVariable(name, "f8", (name,))[:] = range(size)
        file["time"].units = "hours since 2015-01-01"
        for name in ("u10", "v10"):
            file.createVariable(name, "f4", ("time", "latitude", "longitude"))[:] = 1.0
        file.setncatts(attributes)
    assert product_in(path) == input_record(path, tmp_path)["product"] == expected


def test_a_file_that_is_no_product_has_none(tmp_path):
    (tmp_path / "weights.npz").write_bytes(b"PK")
    assert product_in(tmp_path / "weights.npz") is None


def test_products_of_the_real_files(data_folder):
    found = {
        "nsidc0081_sic/nsidc0081_nh_2015.nc": "nsidc0081",
        "gfs_wind_20161120/gfs_1deg_u10v10_20161120_22.nc": "gfs",
        "cs2smos_20220415/cs2smos_v206_20220415.nc": "cs2smos",
    }
    assert {name: product_in(data_folder / name) for name in found} == found


def test_command_prints_each_format(floecast, tmp_path):
    folder = RunFolder(
        tmp_path / "run", {"name": "case", "seed": 1, "analysis": {"method": "letkf"}}
    )
    printed = floecast("cite", folder.path)
    assert printed.returncode == 0 and {"floecast", "hunt2007"} <= set(entries(printed.out))
    assert "(2007)" in floecast("cite", folder.path, "--format", "text").out
    told = json.loads(floecast("cite", folder.path, "--json").out)
    assert told == json.loads(floecast("cite", folder.path, "--format", "json").out)
    assert "hunt2007" in told["references"]
    refused = floecast("cite", tmp_path)
    assert refused.returncode == 2 and "is not a run" in refused.err
