"""What has come: files by their content, which of them belong to a cycle, and what they hold."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.forcing import Forcing, check_forcing
from floecast.core.atomic import write_text
from floecast.core.calendar import HOUR, iso, to_datetime64
from floecast.core.errors import InputError
from floecast.core.precision import cast
from floecast.io.observation_file import own_times
from floecast.io.products import PRODUCTS, product_of
from floecast.io.readers import read_forcing, read_observations
from floecast.io.run_folder import checksum
from floecast.io.source import open_source
from floecast.io.tracks import l2i_times, l2p_times
from floecast.io.trial import lost_on
from floecast.io.weather_files import times as weather_times
from floecast.observation.errors import overlap_inflation
from floecast.observation.observations import Observations, observations
from floecast.observation.quality_control import check_duplicates

from .analysis import prepared

# Files without records: each is taken as one, from its first time to its last.
_TRACKS = {
    "cryosat2_l2i": l2i_times,
    "cryosat2_l2p": l2p_times,
    "floecast_observations": own_times,
}
_WEATHER = ("latlon_forcing", "projected_forcing", "model_levels")


@dataclass(frozen=True)
class Offer:
    """What the folder holds for one cycle.

    Parameters
    ----------
    time : int
        Of the analysis [s since 2000-01-01].
    records : dict of str to list
        By product: ``(begin, end, names)`` of each record [s], and the files that hold it, the one
        to be taken first.
    weather : tuple of str
        Files whose weather lasts from the analysis before to this one.
    """

    time: int
    records: dict
    weather: tuple

    @property
    def files(self):
        """Names of all, sorted."""
        named = {name for held in self.records.values() for *_, names in held for name in names}
        return sorted(named | set(self.weather))


class Inputs:
    """The files of a data folder that the patterns of a configuration find.

    What a file holds is remembered as long as its size and time of change stay.

    Parameters
    ----------
    config : CycleConfig
    data : path
    memory : path
        JSON file to remember it in.

    Raises
    ------
    InputError
        If the configuration names an unknown product, or one that holds no observations.
    """

    def __init__(self, config, data, memory):
        known = [one.name for one in PRODUCTS if "read_observations" in one.doors]
        for section in config.observations:
            if section.product not in known:
                raise InputError(
                    f"observations: no product {section.product}; there are {', '.join(known)}"
                )
        if config.calibration is not None:
            fields = [one.name for one in PRODUCTS if "concentration_field" in one.doors]
            if config.calibration.product not in fields:
                raise InputError(
                    f"calibration: {config.calibration.product} has no fields of concentration; "
                    f"name one of {', '.join(fields)}"
                )
        self.config, self.data, self._memory = config, Path(data), Path(memory)
        self._known = _remembered(self._memory)
        self._kept, self._named = {}, {}

    def look(self):
        """Look at the folder anew."""
        patterns = {one.product: one.files for one in self.config.observations}
        patterns["weather"] = self.config.weather.files or []
        self._named = {
            use: sorted(
                {
                    path.relative_to(self.data).as_posix()
                    for pattern in names
                    for path in self.data.glob(pattern)
                    if path.is_file()
                }
            )
            for use, names in patterns.items()
        }
        wanted = sorted({name for names in self._named.values() for name in names})
        state = {name: self._state(name) for name in wanted}
        new = [name for name in wanted if not self._remembers(name, state[name])]
        lost = lost_on([self.data / name for name in new])
        self._kept = {
            name: self._entry(name, state[name], lost.get(self.data / name))
            if name in new
            else self._known[name]
            for name in wanted
        }
        self._save()

    @property
    def faults(self):
        """What is wrong with files that cannot be used, by their names."""
        return {name: one["fault"] for name, one in self._kept.items() if one["fault"]}

    def last(self, product):
        """End of the last record of a product [s since 2000-01-01]; None where there is none."""
        ends = [end for _, end, _ in self.records(product)]
        return max(ends, default=None)

    def checksum(self, name):
        """SHA-256 of a file, taken once."""
        entry = self._kept[name]
        if entry["sha256"] is None:
            entry["sha256"] = checksum(self.data / name)
            self._save()
        return entry["sha256"]

    def offer(self, time, start):
        """What belongs to an analysis.

        Parameters
        ----------
        time, start : int
            Of the analysis, and of the members before it [s since 2000-01-01].

        Returns
        -------
        Offer
            Records whose centre lies, with the lag of their product, in the cycle that ends at
            `time`, its start left out.
        """
        records = {}
        for section in self.config.observations:
            last = time - section.lag_hours * HOUR
            held = {}
            for begin, end, name in self.records(section.product):
                if last - self.config.cycle_hours * HOUR < _centre(begin, end) <= last:
                    held.setdefault((begin, end), []).append(name)
            # Of several files of one record the last by name is taken, as of later versions.
            records[section.product] = [
                (*when, sorted(names, reverse=True)) for when, names in sorted(held.items())
            ]
        return Offer(time, records, self.weather(start, time))

    def missing(self, time, counts):
        """Products that are expected at an analysis and have not come, or cannot be read.

        Parameters
        ----------
        time : int
            Of the analysis [s since 2000-01-01].
        counts : dict of str to int
            Observations of each product that were read for it.
        """
        month = to_datetime64(time).astype("datetime64[M]").astype(int) % 12 + 1
        found = []
        for section in self.config.observations:
            last = time - section.lag_hours * HOUR
            first = last - max(section.every_hours, self.config.cycle_hours) * HOUR
            centres = [_centre(begin, end) for begin, end, _ in self.records(section.product)]
            came = any(first < one <= last for one in centres)
            own = any(last - self.config.cycle_hours * HOUR < one <= last for one in centres)
            if month in section.months and (not came or own and not counts[section.product]):
                found.append(section.product)
        return found

    def weather(self, start, end):
        """Files whose weather covers a time: those that begin last, else all that reach into it."""
        spans = {
            name: self._kept[name]["records"][0]
            for name in self._named["weather"]
            if not self._kept[name]["fault"] and self._kept[name]["product"] in _WEATHER
        }
        whole = [span for span in spans.values() if span[0] <= start and end <= span[1]]
        if whole:
            return tuple(name for name, span in spans.items() if span == max(whole))
        return tuple(n for n, span in spans.items() if span[0] <= end and start <= span[1])

    def read(self, offer, grid, noted):
        """Observations of a cycle.

        Parameters
        ----------
        offer : Offer
        grid : Grid
        noted : dict
            Notes and warnings of the manifest.

        Returns
        -------
        Observations
        counts : dict of str to int
            How many there are of each product.
        """
        parts, counts = [], {}
        for section in self.config.observations:
            held = [self._read(one, grid, noted) for one in offer.records[section.product]]
            held = [one for one in held if one is not None]
            counts[section.product] = sum(one.size for one in held)
            if not held:
                continue
            joined = check_duplicates(Observations.concatenate(held))
            spans, which = np.unique(joined.span, return_inverse=True)
            every = section.every_hours * HOUR
            larger = np.array([overlap_inflation(max(span, 1), every) for span in spans])[which]
            joined = joined.replace(error_std=joined.error_std * larger)
            parts.append(prepared(self._moved(joined, section, offer.time), grid, section.error))
        return (Observations.concatenate(parts) if parts else nothing()), counts

    def read_weather(self, names, grid, start, end, noted):
        """Weather of files over a time; None, with a warning, where there is none of it."""
        if not self.config.weather.files:
            return None
        try:
            if not names:
                raise InputError("no file of it has come")
            known = read_forcing([self.data / name for name in names], grid)
            check_forcing(known, grid, start, end, known.fields())
        except InputError as error:
            noted["warnings"].append(
                f"Weather of {iso(start)} to {iso(end)}: each member draws its own ({error})."
            )
            return None
        time = np.asarray(known.time)
        first = np.searchsorted(time, start, side="right") - 1
        last = np.searchsorted(time, end) + 1
        fields = {name: field[first:last] for name, field in known.fields().items()}
        return cast(Forcing(jnp.asarray(time[first:last]), **fields), jnp.float32)

    def _read(self, record, grid, noted):
        begin, end, names = record
        for name in names:
            try:
                found = read_observations(self.data / name, grid, start=begin, end=end)
            except InputError as error:
                noted["warnings"].append(f"Observations: {error}")
                continue
            others = [one for one in names if self.checksum(one) != self.checksum(name)]
            if others:
                noted["notes"].append(
                    f"Observations of {iso(begin)}: {name} is taken, {', '.join(others)} not."
                )
            return found
        return None

    def _moved(self, seen, section, time):
        """Observations at the times at which they count in a window."""
        window = self.config.analysis.window_hours * HOUR
        if not window:
            return seen
        long = seen.span > window
        return seen.replace(
            time=np.where(long, time, seen.time + section.lag_hours * HOUR),
            span=np.where(long, 0, seen.span),
        )

    def records(self, product):
        """Begin and end [s since 2000-01-01] of each record of a product, and the file's name."""
        for name in self._named.get(product, ()):
            entry = self._kept[name]
            if entry["product"] == product and not entry["fault"]:
                for begin, end in entry["records"]:
                    yield begin, end, name

    def _state(self, name):
        """Size and time of change of a file."""
        stat = (self.data / name).stat()
        return {"bytes": stat.st_size, "changed": stat.st_mtime_ns}

    def _remembers(self, name, state):
        old = self._known.get(name)
        return old is not None and all(old.get(key) == value for key, value in state.items())

    def _entry(self, name, state, lost):
        """What a new file holds, or what is wrong with it."""
        now = state | {"sha256": None, "product": None, "records": [], "fault": None}
        if lost is not None:
            now["fault"] = f"{self.data / name}: {lost}; it is damaged: fetch it again"
            return now
        try:
            with open_source(self.data / name) as source:
                product = product_of(source)
                now["product"], now["records"] = product.name, _records_of(source, product)
        except InputError as error:
            now["fault"] = str(error)
        return now

    def _save(self):
        text = json.dumps(self._kept) + "\n"
        if self._kept != self._known:
            write_text(self._memory, text)
            self._known = json.loads(text)


def nothing():
    """No observations."""
    empty = np.zeros((0, 1))
    return observations("concentration", empty[:, 0], 1.0, 0.0, 0.0, 0, empty, empty)


def digest(seen, weather):
    """Fingerprint of observations and weather, whatever files they came in.

    Parameters
    ----------
    seen : Observations
    weather : Forcing or None

    Returns
    -------
    str
    """
    found = hashlib.sha256()
    for leaf in jax.tree.leaves((seen, weather)):
        array = np.ascontiguousarray(leaf)
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def _records_of(source, product):
    """Begin and end of what a file holds, as plain JSON values."""
    if product.name in _WEATHER:
        time, _, _ = weather_times(source)
        return [[int(time[0]), int(time[-1])]]
    if product.name in _TRACKS:
        time = _TRACKS[product.name](source)
        return [[int(time.min()), int(time.max()) + 1]]
    if product.records is None:
        return []
    spans = np.unique(np.stack([np.ravel(one) for one in product.records(source)], axis=1), axis=0)
    return spans.astype(int).tolist()


def _centre(begin, end):
    return begin + (end - begin) // 2


def _remembered(path):
    """What was known of files; nothing where the memory is damaged, as it can be made again."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    if not isinstance(kept, dict):
        return {}
    return {name: entry for name, entry in kept.items() if isinstance(entry, dict)}
