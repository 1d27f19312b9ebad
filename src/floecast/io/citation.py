"""What a run stands on, from its manifest, as BibTeX, text or JSON."""

import re
from importlib.metadata import version

from .references import FLOECAST, PRODUCTS, REFERENCES

SOFTWARE = ("bradbury2018", "kidger2021")
"""What every number is computed with."""

_METHODS = {
    "letkf": ("hunt2007", "gaspari1999"),
    "en4dvar": ("courtier1994", "buehner2010", "hamill2000", "weaver2001", "gaspari1999"),
    "envar4d": ("liu2008", "gaspari1999"),
    "var4d": ("courtier1994", "weaver2001"),
    "var3d": ("courtier1994", "weaver2001"),
}
_NAMES = {
    "letkf": "LETKF",
    "en4dvar": "En4DVar",
    "envar4d": "4DEnVar",
    "var4d": "4D-Var",
    "var3d": "3D-Var",
}
_EMULATOR = ("emulator", ("lang2024", "liu2018"))
_BBM = ("BBM rheology", ("olason2022", "brodeau2024", "hunke2002"))
_SIMULATOR = {
    "bbm": _BBM,
    "mevp": ("mEVP rheology", ("hibler1979", "hunke2002", "kimmritz2016")),
    "free_drift": ("free drift", ("thorndike1982",)),
    "winton": ("Winton thermodynamics", ("winton2000",)),
    "zero_layer": ("zero-layer thermodynamics", ("semtner1976",)),
    "weno5": ("WENO transport", ("jiang1996",)),
    "weno7": ("WENO transport", ("jiang1996",)),
}
_AIR = ("boundary layer of air", ("lemarie2021", "gryanik2020", "luepkes2015"))
_SCORES = ("scores", ("goessling2016", "goessling2018", "ferro2014"))


def citations(manifest):
    """What a run used, each with what to cite for it.

    Parameters
    ----------
    manifest : dict
        As `run_folder.read_manifest` gives it.

    Returns
    -------
    list of tuple
        What was used and the keys of `REFERENCES` for it; no key where it is not known.
    """
    config = manifest["config"]
    used = [("computation", SOFTWARE), *_analysis(config), *_models(config)]
    if any(stage["name"] == "verification" for stage in manifest["stages"]):
        used.append(_SCORES)
    for record in manifest.get("inputs", []):
        product = record.get("product")
        used.append((f"{product or 'file'} {record['path']}", PRODUCTS.get(product, ())))
    return list(dict.fromkeys(used))


def _analysis(config):
    """The method, of a run or of cycles."""
    section = config.get("analysis")
    given = section if isinstance(section, dict) else config
    method = given.get("method")
    if method is None and isinstance(section, dict):
        method = "letkf"  # of runs before there was a choice
    if method not in _METHODS:
        return
    yield _NAMES[method], _METHODS[method]
    if method != "letkf":  # the members stand about the analysis with the anomalies of the filter
        yield "members of the analysis", _METHODS["letkf"]
    if given.get("window_hours"):
        yield "observations within a window", ("hunt2004",)
    if given.get("relaxation"):
        yield "relaxation of the spread", ("whitaker2012",)
    yield "diagnostics of the analysis", ("desroziers2005",)


def _models(config):
    """Models of the forecast and of the truth, wherever the configuration names them."""
    model, background = config.get("model", {}), config.get("background", {})
    cycles = "cycles" in config
    ahead = isinstance(config.get("analysis"), str)
    if model.get("kind") == "emulator" or cycles or ahead or "stages" in config:
        yield _EMULATOR
    elif model:
        yield _SIMULATOR["free_drift"]
    if background.get("source") == "simulated" or cycles:
        yield from (_SIMULATOR[name] for name in ("bbm", "winton", "weno5"))
    for key in ("rheology", "thermodynamics", "transport"):
        if config.get(key) in _SIMULATOR:
            yield _SIMULATOR[config[key]]
    sections = (config, model, background, config.get("twin", {}))
    if any(section.get("boundary_layer") for section in sections):
        yield _AIR


def keys_of(used):
    """Keys of all references, each once, in their order."""
    return list(dict.fromkeys(key for _, keys in used for key in keys))


def as_bibtex(used=()):
    """BibTeX of floecast and of what was used, with a comment for what is not known."""
    entries = [_entry("floecast", FLOECAST, version=version("floecast"))]
    entries += [_entry(key, REFERENCES[key]) for key in keys_of(used)]
    unknown = [f"% {what}: cite its owner" for what, keys in used if not keys]
    return "\n\n".join([*entries, *(["\n".join(unknown)] if unknown else [])])


def as_text(used=()):
    """One line for each reference, below what it stands for."""
    lines = [f"floecast {version('floecast')}", f"  {_sentence(FLOECAST)}"]
    for what, keys in used:
        lines.append(what)
        lines += [f"  {_sentence(REFERENCES[key])}" for key in keys] or ["  cite its owner"]
    return "\n".join(lines)


def as_dict(used=()):
    """The same for programs."""

    def told(reference):
        kept = {key: value for key, value in vars(reference).items() if value}
        return kept | {"authors": list(reference.authors)}

    return {
        "floecast": told(FLOECAST) | {"version": version("floecast")},
        "used": [{"what": what, "references": list(keys)} for what, keys in used],
        "references": {key: told(REFERENCES[key]) for key in keys_of(used)},
    }


def _sentence(reference):
    authors = ["et al." if name == "others" else name for name in reference.authors]
    year = "" if reference.year is None else f" ({reference.year})"
    link = f"doi:{reference.doi}" if reference.doi else reference.url
    parts = (reference.title, reference.where, link, reference.note.rstrip("."))
    return f"{', '.join(authors)}{year}: {'. '.join(part for part in parts if part)}."


def _entry(key, reference, **more):
    authors = reference.authors
    names = (name if "," in name or name == "others" else f"{{{name}}}" for name in authors)
    parts = re.fullmatch(r"(.+) (\d+), (\S+)", reference.where)
    if parts:
        place = dict(zip(("journal", "volume", "pages"), parts.groups(), strict=True))
    else:
        holder = "booktitle" if reference.kind == "inproceedings" else "howpublished"
        place = {holder: reference.where}
    fields = {
        "title": f"{{{reference.title}}}",
        "author": " and ".join(names),
        "year": reference.year,
        **place,
        "doi": reference.doi,
        "url": reference.url,
        "note": reference.note.replace("&", r"\&"),
        **more,
    }
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@{reference.kind}{{{key},\n" + ",\n".join(lines) + "\n}"
