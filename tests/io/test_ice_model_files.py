"""Output of ice models: joined along time, in our units, its drift to east and north."""

import numpy as np
import pyproj
import pytest
import xarray as xr

from floecast.core.calendar import HOUR, to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.projection import EPSG_3413, rotate_to_east_north, rotate_to_grid
from floecast.io.ice_model_files import IceOutput, axis_angles
from floecast.io.ice_on_grid import IceOnGrid

from . import ice_layouts as layouts

GRID = Grid.preset("arctic100")
START = to_seconds("2010-01-01")
HOURS = np.arange(3, 27, 6)
KINDS = {
    "nextsim": layouts.moorings,
    "cmems": layouts.cmems,
    "nemo": layouts.icemod,
}


@pytest.fixture
def folder(tmp_path):
    """Write files by name and give their folder."""

    def write(**files):
        for name, dataset in files.items():
            layouts.write(dataset, tmp_path / f"{name}.nc")
        return tmp_path

    return write


@pytest.mark.parametrize("kind", KINDS)
def test_each_layout_gives_the_same_ice(kind, folder):
    """In-ice or cell-mean, percent or fraction, any axes, any order of rows."""
    output = IceOutput(folder(a=KINDS[kind](HOURS)) / "a.nc")
    np.testing.assert_array_equal(output.time, START + HOURS * HOUR)
    found = output.read(output.time[1:3])
    latitude, longitude = output.cells.definition.y, output.cells.definition.x
    there = layouts.truth(*EPSG_3413.forward(latitude, longitude))
    ocean = output.cells.ocean
    assert not ocean[layouts.land(latitude, longitude)].any() and ocean.mean() > 0.99
    for name in ("concentration", "ice_volume", "snow_volume"):
        np.testing.assert_allclose(found[name][0][ocean], 0.99 * there[name][ocean], atol=2e-5)
        assert np.isnan(found[name][:, ~ocean]).all()
    if kind != "cmems":
        np.testing.assert_allclose(found["damage"][1][ocean], there["damage"][ocean], atol=1e-6)
    # Away from the coast, where the faces of the C grid stand still.
    sea = (np.hypot(*EPSG_3413.forward(latitude, longitude)) < 1e6) & (latitude > 82)
    u, v = rotate_to_grid(found["east"], found["north"], EPSG_3413.rotation(longitude))
    for name, component in (("u", u), ("v", v)):
        np.testing.assert_allclose(component[:, sea], there[name][sea][0], atol=1e-4)


def test_what_is_assumed_is_noted(folder):
    place = folder(a=layouts.moorings(HOURS), b=layouts.cmems(HOURS), c=layouts.icemod(HOURS))
    told = {name: "; ".join(IceOutput(place / f"{name}.nc").notes) for name in "abc"}
    assert "means over time" in told["a"] and "over the ice" not in told["a"]
    assert "no damage" in told["b"] and "sithick is a mean over the ice" in told["b"]
    assert "means over" not in told["c"] and "no damage" not in told["c"]


def test_thickness_over_the_ice_by_its_name(folder):
    """SI3 does not tell in its files that `sithic` and `snthic` are means over the ice."""
    dataset = layouts.icemod(HOURS)
    cover = dataset["siconc-t"].where(dataset["siconc-t"] < 1e19)
    for volume, thickness in (("sivolu", "sithic"), ("snvolu", "snthic")):
        over_ice = (dataset[volume] / cover.where(cover > 0)).fillna(1e20)
        dataset[thickness] = over_ice.astype("f4").assign_attrs(dataset[volume].attrs)
    place = folder(a=dataset, b=dataset.drop_vars(["sivolu", "snvolu"]))
    one, other = (IceOutput(place / f"{name}.nc") for name in "ab")
    expected, found = one.read(one.time[:1]), other.read(one.time[:1])
    for name in ("ice_volume", "snow_volume"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    assert "sithic is a mean over the ice" in other.notes[1]


def test_files_in_any_order_and_missing_values_without_an_attribute(folder):
    early, late = layouts.icemod(HOURS[:2], fill=False), layouts.icemod(HOURS[2:], fill=False)
    place = folder(b=early, a=late)
    output = IceOutput([place / "a.nc", place / "b.nc"])
    np.testing.assert_array_equal(output.time, START + HOURS * HOUR)
    assert output.read(output.time)["concentration"].shape[0] == 4
    assert output.files_of(output.time[:1]) == [place / "b.nc"]
    assert not output.cells.ocean.all()


def test_hours_written_as_days_are_whole_seconds(folder):
    seconds = np.arange(1200, 30 * 86400, 1200)
    dataset = layouts.moorings(seconds / HOUR, size=4, spacing=900e3)
    output = IceOutput(folder(a=dataset) / "a.nc")
    np.testing.assert_array_equal(output.time, START + seconds)


def test_times_of_a_year(folder):
    """Output of 03, 09, ... UTC is taken at 03 and 15 UTC; one written at the end begins late."""
    hours = np.arange(3, 365 * 24, 6)
    small = {"size": 8, "spacing": 900e3}
    place = folder(a=layouts.moorings(hours, **small), b=layouts.moorings(hours[1:] - 3, **small))
    times = IceOutput(place / "a.nc").times_of([2010], 12 * HOUR)
    np.testing.assert_array_equal(times, START + np.arange(3, 365 * 24, 12) * HOUR)
    assert IceOutput(place / "b.nc").times_of([2010], 12 * HOUR)[0] == START + 12 * HOUR
    with pytest.raises(InputError, match="of 2011 the ice output lacks 2011-01-01T03:00:00Z"):
        IceOutput(place / "a.nc").times_of([2010, 2011], 12 * HOUR)
    with pytest.raises(InputError, match="every 6 h, expected a whole part of the step of 4 h"):
        IceOutput(place / "a.nc").times_of([2010], 4 * HOUR)


def test_a_year_with_a_hole_is_refused(folder):
    hours = np.setdiff1d(np.arange(3, 365 * 24, 6), [3 + 24 * 40])
    output = IceOutput(folder(a=layouts.moorings(hours, size=8, spacing=900e3)) / "a.nc")
    with pytest.raises(InputError, match="lacks 2010-02-10T03:00:00Z"):
        output.times_of([2010], 12 * HOUR)


def test_mesh_mask_tells_land_that_is_zero(folder):
    dataset = layouts.icemod(HOURS, fill=False)
    zero = {name: dataset[name].where(dataset[name] < 1e19, 0.0) for name in ("siconc-t", "sivolu")}
    place = folder(a=dataset.assign(zero), mesh=layouts.mesh_mask())
    output = IceOutput(place / "a.nc", place / "mesh.nc")
    latitude, longitude, _, _ = layouts.places()
    np.testing.assert_array_equal(output.cells.ocean, ~layouts.land(latitude, longitude))
    coast = IceOutput(place / "a.nc")
    assert "mark no land" in coast.notes[-1]
    assert 0.3 < coast.cells.ocean.mean() < 0.7  # of the plane up to the equator of the corners


def test_components_to_east_and_north(folder):
    dataset = layouts.moorings(HOURS)
    dataset["Polar_Stereographic_Grid"].attrs["false_easting"] = np.float32(0)
    output = IceOutput(folder(a=dataset) / "a.nc")
    found = output.read(output.time[:1])
    u, v = layouts.along_file()
    ocean = output.cells.ocean
    np.testing.assert_allclose(found["east"][0][ocean], u, atol=1e-6)
    np.testing.assert_allclose(found["north"][0][ocean], v, atol=1e-6)


def test_axes_that_a_file_does_not_tell_are_noted(folder):
    dataset = layouts.moorings(HOURS).drop_vars("Polar_Stereographic_Grid")
    assert "do not tell what siu is along" in IceOutput(folder(a=dataset) / "a.nc").notes[-1]


def test_ocean_fields(folder):
    output = IceOutput(folder(a=layouts.with_ocean(layouts.icemod(HOURS))) / "a.nc")
    assert "ocean_temperature" not in output.read(output.time[:1])
    found = output.read(output.time[:1], ocean=True)
    ocean = output.cells.ocean
    np.testing.assert_allclose(found["ocean_temperature"][0][ocean], 272.15, atol=1e-4)
    np.testing.assert_allclose(found["current_east"][0], found["east"][0])
    folder(b=layouts.icemod(HOURS + 24))
    output = IceOutput([output.files[0].path, output.files[0].path.with_name("b.nc")])
    assert "current_east" not in output.read(output.time, ocean=True)


def test_angles_on_a_real_curvilinear_grid(data_folder):
    """Against azimuths of geodesics between the neighbours of a row."""
    file = data_folder / "topaz_tp0_grid" / "topaz_tp0_cice_grid.nc"
    with xr.open_dataset(file) as dataset:
        latitude, longitude = np.degrees(dataset.ulat.values), np.degrees(dataset.ulon.values)
    along, up = axis_angles(*EPSG_3413.forward(latitude, longitude), longitude, (1.0, -1.0))
    geod = pyproj.Geod(ellps="WGS84")
    north = latitude[1:-1, 1:-1] > 50
    for angle, one, other in (
        (along, np.s_[1:-1, :-2], np.s_[1:-1, 2:]),
        (up, np.s_[2:, 1:-1], np.s_[:-2, 1:-1]),
    ):
        here = longitude[1:-1, 1:-1], latitude[1:-1, 1:-1]
        back = geod.inv(*here, longitude[one], latitude[one])[0] + 180
        forth = geod.inv(*here, longitude[other], latitude[other])[0]
        middle = np.angle(np.exp(1j * np.radians(back)) + np.exp(1j * np.radians(forth)))
        wrong = np.exp(1j * (np.pi / 2 - middle - angle[1:-1, 1:-1]))
        assert np.abs(np.degrees(np.angle(wrong)))[north].max() < 0.5


def renamed(name, **attributes):
    return lambda d: d.assign({name: d[name].assign_attrs(attributes)})


def scaled(name, factor):
    return lambda d: d.assign({name: (d[name] * factor).assign_attrs(d[name].attrs)})


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("nextsim", lambda d: d.drop_vars("sit"), "lacks ice_volume, expected sit"),
        ("nextsim", lambda d: d.drop_vars("siv"), "lacks drift, expected siu and siv"),
        ("nextsim", renamed("sit", units="cm"), "sit is in 'cm', expected 'm'"),
        ("nextsim", scaled("sic", 100), "sic is .* and out of range"),
        ("nextsim", lambda d: d.isel(time=0), "has .*'y', 'x'.*, expected time, y and x"),
        ("nextsim", lambda d: d.isel(time=[1, 0]), "time does not ascend"),
        ("nextsim", lambda d: d.drop_vars("latitude"), "latitude is missing"),
        ("nextsim", lambda d: d.assign(latitude=-abs(d.latitude)), "no cell lies north of 30 N"),
        ("nextsim", lambda d: d.assign(sit=d.sit.where(d.latitude < 85)), "sit misses .* values"),
        ("nextsim", lambda d: d.assign(siu=d.siu.where(d.latitude < 85)), "of the cells with ice"),
        ("cmems", renamed("siconc", units="1"), "siconc is .* out of range"),
        ("cmems", renamed("vxsi", units="cm s-1"), "vxsi is in 'cm s-1', expected 'm s-1'"),
        ("nemo", renamed("time_instant", calendar="360_day"), "holds no times"),
        ("nemo", lambda d: d.drop_vars("u_ice-u"), "lacks drift, expected u_ice-u and v_ice-v or"),
        ("nemo", lambda d: d[["nav_lat", "nav_lon"]], "lacks concentration"),
        ("nemo", lambda d: d.drop_vars(["time_counter", "time_instant"]), "has no times, expected"),
    ],
)
def test_wrong_files_are_refused_in_one_line(kind, change, message, folder):
    place = folder(a=change(KINDS[kind](HOURS)))
    with pytest.raises(InputError, match=message) as raised:
        output = IceOutput(place / "a.nc")
        output.read(output.time[:2])
    assert "a.nc" in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (layouts.moorings(HOURS + 12), "2010-01-01T15:00:00Z, .* is in a.nc, too"),
        (layouts.cmems(HOURS + 24), "holds CMEMS neXtSIM .*, expected neXtSIM moorings"),
        (layouts.moorings(HOURS + 24).drop_vars("damage"), "lacks damage, unlike those before"),
        (layouts.moorings(HOURS + 24, size=40), "on other cells"),
        (layouts.moorings(HOURS + 24, spacing=150e3), "on other cells"),
        (layouts.moorings(HOURS[:1] + 15), "b.nc begins before a.nc ends|is in a.nc, too"),
        (xr.Dataset({"nonsense": ("n", [1.0])}), "no output of an ice model; known are NEMO"),
    ],
)
def test_files_that_do_not_go_together_are_refused(other, message, folder):
    place = folder(a=layouts.moorings(HOURS), b=other)
    with pytest.raises(InputError, match=message):
        IceOutput([place / "a.nc", place / "b.nc"])


def test_a_mesh_mask_of_other_cells_is_refused(folder):
    place = folder(a=layouts.icemod(HOURS), mesh=layouts.mesh_mask(size=40))
    with pytest.raises(InputError, match=r"has \(48, 48\) cells, its mesh mask \(40, 40\)"):
        IceOutput(place / "a.nc", place / "mesh.nc")
    place = folder(mesh=layouts.mesh_mask().drop_vars("tmask"))
    with pytest.raises(InputError, match="tmask is missing"):
        IceOutput(place / "a.nc", place / "mesh.nc")


def test_on_our_grid(folder):
    output = IceOutput(folder(a=layouts.icemod(HOURS)) / "a.nc")
    to_grid = IceOnGrid(output.cells, GRID)
    made = to_grid.state(output.read(output.time[:1]))
    x, y = np.meshgrid(GRID.x, GRID.y)
    there = layouts.truth(x, y)
    masks = {"u": GRID.mask_u, "v": GRID.mask_v}
    sea = (np.hypot(x, y) < 1e6) & (GRID.latitude > 83)
    for name, field in made.items():
        mask = masks.get(name, GRID.mask_t)
        assert field.dtype == np.float32 and (field[0][~mask] == 0).all()
        np.testing.assert_allclose(field[0][mask & sea], there[name][mask & sea], atol=0.05)


def test_drift_lies_at_the_faces(folder):
    """A drift that grows with the position shows half a cell."""
    output = IceOutput(folder(a=layouts.icemod(HOURS, spacing=40e3, size=64)) / "a.nc")
    latitude, longitude, x, y = layouts.places(spacing=40e3, size=64)
    pair = rotate_to_east_north(x / 1e6, y / 1e6, EPSG_3413.rotation(longitude))
    fields = output.read(output.time[:1]) | {"east": pair[0][None], "north": pair[1][None]}
    made = IceOnGrid(output.cells, GRID).state(fields)
    x, y = np.meshgrid(GRID.x, GRID.y)
    near = (np.hypot(x, y) < 8e5) & GRID.mask_t
    for name, place, mask in (("u", x, GRID.mask_u), ("v", y, GRID.mask_v)):
        np.testing.assert_allclose(
            made[name][0][near & mask], (place[near & mask] + 50e3) / 1e6, atol=0.002
        )


def test_volume_is_kept_and_damage_is_that_of_the_ice(folder):
    """A blob of broken ice at the pole, with water around it that has no damage."""
    dataset = layouts.icemod(HOURS[:1])
    blob = (dataset.nav_lat > 85).values
    for name in ("siconc-t", "sivolu", "snvolu"):
        dataset[name] = dataset[name].where(blob | (dataset[name] > 1e19), 0.0)
    ice = dataset["siconc-t"].values * blob
    dataset["damage-t"] = dataset["damage-t"].copy(data=np.where(blob[None], 0.9, 0.0))
    output = IceOutput(folder(a=dataset.astype("f8")) / "a.nc")
    made = IceOnGrid(output.cells, GRID).state(output.read(output.time))
    area = output.cells.definition.area
    for name, short in (("concentration", "siconc-t"), ("ice_volume", "sivolu")):
        total = np.sum(area * np.where(blob, dataset[short].values[0], 0.0))
        np.testing.assert_allclose(np.sum(GRID.area * made[name][0]), total, rtol=2e-3)
    assert ice.max() > 0.5
    icy = made["concentration"][0] > 1e-6
    np.testing.assert_allclose(made["damage"][0][icy], 0.9, atol=1e-5)
    assert (made["damage"][0][~icy] == 0).all()


def test_ocean_beyond_the_files_is_without_ice_and_noted(folder):
    output = IceOutput(folder(a=layouts.moorings(HOURS, size=24)) / "a.nc")
    to_grid = IceOnGrid(output.cells, GRID)
    assert "ocean cells of arctic100 lie outside of the ice files" in to_grid.notes[0]
    made = to_grid.state(output.read(output.time[:1]))
    far = GRID.mask_t & (np.hypot(*np.meshgrid(GRID.x, GRID.y)) > 3.2e6)
    assert (made["ice_volume"][0][far] == 0).all() and np.isfinite(made["u"]).all()
    assert (made["concentration"][0][GRID.mask_t & (GRID.latitude > 86)] > 0.9).all()
