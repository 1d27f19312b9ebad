"""The page in a browser: opened from disk, its controls used, no error and no network."""

import shutil

import pytest

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
def address(make_run, tmp_path_factory):
    return write_report(make_run(tmp_path_factory.mktemp("run"))).as_uri()


@pytest.fixture
def page(browser, address):
    """The page on a desktop, freshly opened; its console must stay empty."""
    show(browser, DESK)
    browser.get(address)
    browser.get_log("browser")
    yield browser
    assert browser.get_log("browser") == []


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


def frame(page):
    """Field, lead and picture of the one frame on show."""
    (found,) = [
        picture
        for picture in page.find_elements("css selector", ".frames img")
        if picture.is_displayed()
    ]
    return tuple(map(found.get_attribute, ("data-field", "data-lead", "src")))


def test_slider_changes_the_picture(page):
    slider = page.find_element("id", "lead")
    before = frame(page)
    slider.send_keys(Keys.ARROW_RIGHT)
    after = frame(page)
    assert (before[1], after[1]) == ("0", "1") and before[2] != after[2]
    assert "+24 h" in page.find_element("id", "lead-text").text
    assert slider.get_attribute("aria-valuetext") == "+24 h, 2015-01-02 00:00 UTC"
    slider.send_keys(Keys.END)
    assert frame(page)[1] == "2"


def test_every_field_has_its_pictures(page):
    pictures = set()
    choices = page.find_elements("name", "field")
    page.find_element("id", "lead").send_keys(Keys.ARROW_RIGHT)
    for choice in choices:
        choice.click()
        field, lead, picture = frame(page)
        assert (field, lead) == (choice.get_attribute("value"), "1")
        pictures.add(picture)
    assert len(pictures) == len(choices) == 5


def test_play_and_pause(page):
    play = page.find_element("id", "play")
    play.click()
    assert play.text == "Pause"
    WebDriverWait(page, 10).until(lambda page: frame(page)[1] == "2")
    play.click()
    assert play.text == "Play"


def test_reduced_motion_steps_by_hand(browser, address):
    show(browser, DESK, **{"prefers-reduced-motion": "reduce"})
    browser.get(address)
    play = browser.find_element("id", "play")
    assert play.text == "Next lead"
    play.click()
    assert play.text == "Next lead" and frame(browser)[1] == "1"


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_fits_the_screen_and_loads_every_picture(browser, address, size):
    show(browser, size)
    browser.get(address)
    for details in browser.find_elements("tag name", "details"):
        browser.execute_script("arguments[0].open = true", details)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
    broken = "return [...document.images].filter(i => i.complete && !i.naturalWidth).length"
    assert browser.execute_script(broken) == 0
    fetched = browser.execute_script("return performance.getEntriesByType('resource')")
    assert not [entry for entry in fetched if not entry["name"].startswith("data:")]


def test_print_hides_the_controls(browser, address):
    show(browser, DESK)
    browser.get(address)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not browser.find_element("class name", "controls").is_displayed()
    assert frame(browser)[1] == "0"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
