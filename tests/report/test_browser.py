"""The page in a browser: opened from disk, every control used, numbers as in the products."""

import base64
import re
import shutil
import zlib
from importlib.resources import files

import numpy as np
import pytest
import xarray as xr

from floecast.report.page import write_report

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ASSETS = files("floecast.report") / "assets"
PHONE, DESK = (390, 844), (1280, 800)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium with its console."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no Chromium with its chromedriver on this machine")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def run(make_run, tmp_path_factory):
    folder = make_run(tmp_path_factory.mktemp("run"), twin=False)
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def address(run):
    return (run / "report.html").as_uri()


@pytest.fixture(scope="module")
def forecast(run, make_forecast, tmp_path_factory):
    """A forecast from the analysis of the run, with drifters and ellipses."""
    folder = make_forecast(tmp_path_factory.mktemp("forecast"), run)
    return write_report(folder).as_uri()


@pytest.fixture
def page(browser, address):
    """The page on a desktop, freshly opened; its console must stay empty."""
    show(browser, DESK)
    opened(browser, address)
    yield browser
    assert browser.get_log("browser") == []


def opened(browser, address):
    """Open a page; it is whole when it counts as loaded, or it could not be printed at once."""
    browser.get(address)
    assert browser.execute_script("return document.documentElement.dataset.ready") == "yes"


def show(browser, size, **features):
    width, height = size
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {
            "width": width,
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": width < 500,
        },
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {
            "features": [{"name": name, "value": value} for name, value in features.items()],
        },
    )


def drawn(page, selector="#map"):
    """What a canvas shows."""
    return page.execute_script("return document.querySelector(arguments[0]).toDataURL()", selector)


def text(page, name):
    return page.find_element("id", name).text


def choose(page, field):
    page.find_element("css selector", f"#layer option[value={field}]").click()


def place(page, latitude, longitude):
    """Ask for a place by its coordinates."""
    for name, value in (("latitude", latitude), ("longitude", longitude)):
        box = page.find_element("id", name)
        box.clear()
        box.send_keys(f"{value:.4f}")
    page.find_element("css selector", "#place button").click()


def rows(page):
    """The table of the place: heads, and texts of its rows."""
    table = page.find_element("css selector", "#place-table table")
    script = """return [...arguments[0].querySelectorAll('tr')]
        .map(row => [...row.children].map(cell => cell.textContent))"""
    head, *lines = page.execute_script(script, table)
    return head, lines


def percent(found):
    return float(found.replace("−", "-").removesuffix(" %")) / 100


def test_slider_changes_the_map(page):
    slider = page.find_element("id", "lead")
    before = drawn(page)
    slider.send_keys(Keys.ARROW_RIGHT)
    assert drawn(page) != before
    assert text(page, "lead-text") == "+24 h, 2015-01-02 00:00 UTC"
    assert slider.get_attribute("aria-valuetext") == "+24 h, 2015-01-02 00:00 UTC"
    slider.send_keys(Keys.END)
    assert text(page, "lead-text").startswith("+48 h")


def test_every_field_has_its_map_legend_and_words(page):
    page.find_element("id", "lead").send_keys(Keys.ARROW_RIGHT)
    options = page.find_elements("css selector", "#layer option")
    seen = set()
    for option in options:
        option.click()
        label = option.text.strip().lower()
        assert label in page.find_element("id", "map").get_attribute("aria-label")
        assert f": {label} " in text(page, "readout")
        assert len(page.find_elements("css selector", "#legend .bar span")) >= 20
        seen.add(drawn(page))
    # The probabilities of classes of thickness that no member has anywhere look the same.
    assert len(options) > 20 and len(seen) > len(options) - 4


def test_play_and_pause(page):
    play = page.find_element("id", "play")
    play.click()
    assert play.text == "Pause"
    WebDriverWait(page, 10).until(lambda page: text(page, "lead-text").startswith("+48 h"))
    play.click()
    assert play.text == "Play"


def test_reduced_motion_steps_by_hand(browser, address):
    show(browser, DESK, **{"prefers-reduced-motion": "reduce"})
    opened(browser, address)
    play = browser.find_element("id", "play")
    assert play.text == "Next lead"
    play.click()
    assert play.text == "Next lead" and text(browser, "lead-text").startswith("+24 h")


def test_every_box_and_button_does_something(browser, run, forecast, address):
    """Boxes change the maps; the small maps choose their lead; what is folded opens."""
    show(browser, DESK)
    for where in (address, forecast):
        opened(browser, where)
        browser.find_element("id", "lead").send_keys(Keys.END)
        boxes = browser.find_elements("css selector", "#forecast input[type=checkbox]")
        assert len(boxes) == (5 if where == address else 6)
        for box in boxes:
            before = drawn(browser)
            box.click()
            assert drawn(browser) != before, box.get_attribute("id")
            box.click()
            assert drawn(browser) == before, box.get_attribute("id")
        for box in browser.find_elements("css selector", "#changes input[type=checkbox]"):
            before = drawn(browser, "canvas[data-change=thickness]")
            box.click()
            after = drawn(browser, "canvas[data-change=thickness]")
            assert after != before, box.get_attribute("id")
        small = browser.find_elements("css selector", "#strip button")
        assert len(small) == 3
        small[1].click()
        assert text(browser, "lead-text").startswith("+24 h")
        pressed = [button.get_attribute("aria-pressed") for button in small]
        assert pressed == ["false", "true", "false"]
        for folded in browser.find_elements("tag name", "summary"):
            folded.click()
    assert browser.get_log("browser") == []


def test_place_shows_what_the_products_hold(page, run):
    """Everything in the table of a place is that of the netCDF files, but for rounding."""
    with xr.open_dataset(run / "forecast.nc") as product:
        product = product.load()
    with xr.open_dataset(run / "forecast_members.nc") as members:
        members = members.load()
    with xr.open_dataset(run / "verification.nc") as truth:
        truth = truth.load()
    unsure = product["concentration_spread"].isel(time=0).fillna(0)
    for row, column in (np.unravel_index(unsure.values.argmax(), unsure.shape), (30, 32)):
        cell = {"y": row, "x": column}
        here = product.isel(cell)
        place(page, float(here.latitude), float(here.longitude))
        north, east = map(float, re.findall(r"[0-9.]+", text(page, "place-words")))
        assert north == pytest.approx(float(here.latitude), abs=0.01)
        assert east == pytest.approx(abs(float(here.longitude)), abs=0.01)
        head, lines = rows(page)
        columns = dict(zip(head, zip(*lines, strict=True), strict=True))
        assert columns["lead"] == ("+0 h", "+24 h", "+48 h")
        for name, field in (
            ("concentration", here.concentration),
            ("ice > 15 %", here.probability_of_ice),
            ("observed concentration", truth.concentration.isel(cell)),
        ):
            for found, value in zip(columns[name], field.values, strict=True):
                if np.isnan(value):
                    assert found == "–"
                else:  # half a percent of the bytes, half a percent of the text
                    assert percent(found) == pytest.approx(value, abs=0.0076), name
        for found, value in zip(columns["thickness"], here.thickness.values, strict=True):
            assert float(found.removesuffix(" m")) == pytest.approx(value, abs=0.011)
        values = members.concentration.isel(cell).transpose("time", "realization").values
        low, high = np.quantile(values, (0.05, 0.95), axis=1, method="median_unbiased")
        for found, *ends in zip(columns["concentration, 5–95 %"], low, high, strict=True):
            told = [percent(part) for part in found.split(" to ")]
            assert told == pytest.approx(ends, abs=0.0076)
        speed = np.hypot(here.u.values, here.v.values) * 86.4
        for found, value, ice in zip(columns["drift"], speed, here.concentration, strict=True):
            if ice < 0.14:
                assert found == "–"
            elif ice > 0.16:
                assert float(found.split(" ")[0]) == pytest.approx(value, abs=0.8)


def test_heading_of_the_drift(page, run):
    """Ice that moves along x at a known longitude; 0 is north and 90 east."""
    with xr.open_dataset(run / "forecast.nc") as product:
        here = product.isel(time=0, y=44, x=32).load()
    place(page, float(here.latitude), float(here.longitude))
    head, lines = rows(page)
    heading = float(re.search(r"to (\d+)°", lines[0][head.index("drift")])[1])
    east = np.radians(float(here.longitude) + 45)  # of the x axis: EPSG:3413 has 45 W downwards
    u, v = float(here.u), float(here.v)
    toward_east = u * np.cos(east) + v * np.sin(east)
    toward_north = -u * np.sin(east) + v * np.cos(east)
    expected = np.degrees(np.arctan2(toward_east, toward_north)) % 360
    assert (heading - expected + 180) % 360 - 180 == pytest.approx(0, abs=1.5)


def test_click_and_keys_choose_a_place(page):
    canvas = page.find_element("id", "map")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    webdriver.ActionChains(page).move_to_element(canvas).click().perform()
    clicked = text(page, "place-words")
    assert float(clicked.split("°")[0]) > 80  # the pole is in the middle
    canvas.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert text(page, "place-words") == clicked
    assert clicked not in text(page, "readout")
    looked_at = text(page, "readout").split(":")[0]
    canvas.send_keys(Keys.ENTER)
    assert text(page, "place-words") == looked_at != clicked
    assert looked_at in page.find_element("css selector", "#place-table caption").text
    canvas.send_keys(Keys.SHIFT + Keys.ARROW_UP)
    canvas.send_keys(Keys.SPACE)
    assert text(page, "place-words") not in (clicked, looked_at)
    assert len(page.find_elements("css selector", "#charts svg.chart")) == 3


def test_why_names_the_observations_near(page, run):
    with xr.open_dataset(run / "analysis.nc") as analysis:
        change = analysis.concentration_increment.load()
    with xr.open_dataset(run / "observations.nc") as data:
        data = data.load()
    thickness = (data.kind == 1) & (data.flag == 0) & (data.assimilated == 1)
    x, y = (float(data[name][thickness.values][0]) for name in "xy")
    here = change.sel(x=x, y=y)
    place(page, float(here.latitude), float(here.longitude))
    words = text(page, "why")
    found = percent(re.search(r"concentration by ([+−]?\d+ %)", words)[1].replace("+", ""))
    assert found == pytest.approx(float(here), abs=0.011)
    used = int((thickness & (np.hypot(data.x - x, data.y - y) <= 400e3)).sum())
    assert used > 0
    assert f"Within 400 km: {used} thickness observations used" in words


def test_focus_is_seen_and_reaches_every_control(page):
    reached = set()
    page.execute_script("document.querySelector('.skip').focus()")
    for _ in range(80):
        active = page.switch_to.active_element
        name = active.get_attribute("id") or active.tag_name
        if name in ("map", "play", "layer", "lead", "latitude"):
            outline = active.value_of_css_property("outline-style")
            assert outline != "none", name
        reached.add(name)
        if active.tag_name == "pre":
            break
        active.send_keys(Keys.TAB)
    assert {"map", "layer", "lead", "play", "show-edge", "latitude", "place-table"} <= reached


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_fits_the_screen_and_loads_nothing(browser, address, size):
    show(browser, size)
    opened(browser, address)
    for details in browser.find_elements("tag name", "details"):
        browser.execute_script("arguments[0].open = true", details)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
    broken = "return [...document.images].filter(i => i.complete && !i.naturalWidth).length"
    assert browser.execute_script(broken) == 0
    fetched = browser.execute_script("return performance.getEntriesByType('resource')")
    assert not [entry for entry in fetched if not entry["name"].startswith("data:")]


def test_prints(browser, address):
    show(browser, DESK)
    opened(browser, address)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not browser.find_element("class name", "controls").is_displayed()
    assert browser.find_element("id", "map").is_displayed()
    assert browser.find_element("id", "strip").is_displayed()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF") and 4 <= len(re.findall(rb"/Type ?/Page\b", pdf)) <= 14


def test_without_scripts(browser, address):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        pictures = browser.find_elements("css selector", "noscript img")
        assert len(pictures) == 6 and all(picture.is_displayed() for picture in pictures)
        assert not browser.find_element("id", "map").is_displayed()
        assert browser.find_element("css selector", ".outlook table").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("level", [0, 1, 9])
def test_bytes_are_unpacked(page, level):
    """Stored, fixed and dynamic blocks."""
    rng = np.random.default_rng(level)
    mixed = rng.integers(0, 256, 70_000, dtype=np.uint8).tobytes() + b"ice and snow " * 9000
    script = (
        ASSETS.joinpath("inflate.js").read_text()
        + """
        const packed = Uint8Array.from(atob(arguments[0]), letter => letter.charCodeAt(0));
        const bytes = inflate(packed, arguments[1]);
        return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(""));"""
    )
    for data in (mixed, b"ice", b""):
        packed = base64.b64encode(zlib.compress(data, level)).decode()
        assert base64.b64decode(page.execute_script(script, packed, len(data))) == data
