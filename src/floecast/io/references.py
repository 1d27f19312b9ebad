"""What to cite: floecast, its methods, and the products of others, in one table.

Longer than 400 lines because each reference stands on lines of its own.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A paper, a data set or a program.

    Parameters
    ----------
    kind : str
        Type of the BibTeX entry, such as ``"article"``.
    authors : tuple of str
        ``"Family, Initials"``; a name without comma is that of a body.
    year : int or None
    title : str
    where : str
        Journal with volume and pages, or who publishes it.
    doi : str
        Without resolver; empty if there is none.
    url : str
        Where there is no DOI.
    note : str
        What the owner asks to be said.
    """

    kind: str
    authors: tuple[str, ...]
    year: int | None
    title: str
    where: str = ""
    doi: str = ""
    url: str = ""
    note: str = ""


def _paper(authors, year, title, where, doi="", note=""):
    return Reference("article", tuple(authors.split("; ")), year, title, where, doi, note=note)


def _data(authors, year, title, where, doi="", url="", note=""):
    return Reference("misc", tuple(authors.split("; ")), year, title, where, doi, url, note)


FLOECAST = Reference(
    "software",
    ("The floecast developers",),
    2026,
    "floecast",
    note="Arctic sea-ice forecasting in JAX, from simulator and ensemble data assimilation to "
    "verification. License: Apache-2.0",
)
"""The package itself, as in ``CITATION.cff`` of the repository."""

_QJ, _MWR = "Quarterly Journal of the Royal Meteorological Society", "Monthly Weather Review"
_TC, _GMD = "The Cryosphere", "Geoscientific Model Development"
_JGR = "Journal of Geophysical Research"
_NSIDC = "NASA National Snow and Ice Data Center"
_CDS = "Copernicus Climate Data Store"

REFERENCES = {
    # software
    "bradbury2018": Reference(
        "software",
        tuple("Bradbury, J.; Frostig, R.; Hawkins, P.; Johnson, M. J.; others".split("; ")),
        2018,
        "JAX: composable transformations of Python+NumPy programs",
        url="https://github.com/jax-ml/jax",
    ),
    "kidger2021": Reference(
        "misc",
        ("Kidger, P.", "Garcia, C."),
        2021,
        "Equinox: neural networks in JAX via callable PyTrees and filtered transformations",
        "arXiv:2111.00254",
        "10.48550/arXiv.2111.00254",
    ),
    # analysis
    "hunt2007": _paper(
        "Hunt, B. R.; Kostelich, E. J.; Szunyogh, I.",
        2007,
        "Efficient data assimilation for spatiotemporal chaos: a local ensemble transform Kalman "
        "filter",
        "Physica D 230, 112-126",
        "10.1016/j.physd.2006.11.008",
    ),
    "hunt2004": _paper(
        "Hunt, B. R.; others",
        2004,
        "Four-dimensional ensemble Kalman filtering",
        "Tellus A 56, 273-277",
    ),
    "gaspari1999": _paper(
        "Gaspari, G.; Cohn, S. E.",
        1999,
        "Construction of correlation functions in two and three dimensions",
        f"{_QJ} 125, 723-757",
        "10.1002/qj.49712555417",
    ),
    "whitaker2012": _paper(
        "Whitaker, J. S.; Hamill, T. M.",
        2012,
        "Evaluating methods to account for system errors in ensemble data assimilation",
        f"{_MWR} 140, 3078-3089",
        "10.1175/MWR-D-11-00276.1",
    ),
    "courtier1994": _paper(
        "Courtier, P.; Thepaut, J.-N.; Hollingsworth, A.",
        1994,
        "A strategy for operational implementation of 4D-Var, using an incremental approach",
        f"{_QJ} 120, 1367-1387",
        "10.1002/qj.49712051912",
    ),
    "buehner2010": _paper(
        "Buehner, M.; others",
        2010,
        "Intercomparison of variational data assimilation and the ensemble Kalman filter for "
        "global deterministic NWP. Part I",
        f"{_MWR} 138, 1550-1566",
    ),
    "liu2008": _paper(
        "Liu, C.; Xiao, Q.; Wang, B.",
        2008,
        "An ensemble-based four-dimensional variational data assimilation scheme. Part I",
        f"{_MWR} 136, 3363-3373",
        "10.1175/2008MWR2312.1",
    ),
    "hamill2000": _paper(
        "Hamill, T. M.; Snyder, C.",
        2000,
        "A hybrid ensemble Kalman filter-3D variational analysis scheme",
        f"{_MWR} 128, 2905-2919",
        "10.1175/1520-0493(2000)128<2905:AHEKFV>2.0.CO;2",
    ),
    "weaver2001": _paper(
        "Weaver, A.; Courtier, P.",
        2001,
        "Correlation modelling on the sphere using a generalized diffusion equation",
        f"{_QJ} 127, 1815-1846",
        "10.1002/qj.49712757518",
    ),
    "desroziers2005": _paper(
        "Desroziers, G.; Berre, L.; Chapnik, B.; Poli, P.",
        2005,
        "Diagnosis of observation, background and analysis-error statistics in observation space",
        f"{_QJ} 131, 3385-3396",
        "10.1256/qj.05.108",
    ),
    # ice
    "thorndike1982": _paper(
        "Thorndike, A. S.; Colony, R.",
        1982,
        "Sea ice motion in response to geostrophic winds",
        f"{_JGR} 87, 5845-5852",
        "10.1029/JC087iC08p05845",
    ),
    "olason2022": _paper(
        "Olason, E.; others",
        2022,
        "A new brittle rheology and numerical framework for large-scale sea-ice models",
        "Journal of Advances in Modeling Earth Systems 14, e2021MS002685",
        "10.1029/2021MS002685",
    ),
    "brodeau2024": _paper(
        "Brodeau, L.; others",
        2024,
        "Implementation of a brittle sea ice rheology in an Eulerian, finite-difference, C-grid "
        "modeling framework",
        f"{_GMD} 17, 6051-6082",
        "10.5194/gmd-17-6051-2024",
    ),
    "hibler1979": _paper(
        "Hibler, W. D.",
        1979,
        "A dynamic thermodynamic sea ice model",
        "Journal of Physical Oceanography 9, 815-846",
        "10.1175/1520-0485(1979)009<0815:ADTSIM>2.0.CO;2",
    ),
    "hunke2002": _paper(
        "Hunke, E. C.; Dukowicz, J. K.",
        2002,
        "The elastic-viscous-plastic sea ice dynamics model in general orthogonal curvilinear "
        "coordinates on a sphere - incorporation of metric terms",
        f"{_MWR} 130, 1848-1865",
        "10.1175/1520-0493(2002)130<1848:TEVPSI>2.0.CO;2",
    ),
    "kimmritz2016": _paper(
        "Kimmritz, M.; Danilov, S.; Losch, M.",
        2016,
        "The adaptive EVP method for solving the sea ice momentum equation",
        "Ocean Modelling 101, 59-67",
        "10.1016/j.ocemod.2016.03.004",
    ),
    "winton2000": _paper(
        "Winton, M.",
        2000,
        "A reformulated three-layer sea ice model",
        "Journal of Atmospheric and Oceanic Technology 17, 525-531",
        "10.1175/1520-0426(2000)017<0525:ARTLSI>2.0.CO;2",
    ),
    "semtner1976": _paper(
        "Semtner, A. J.",
        1976,
        "A model for the thermodynamic growth of sea ice in numerical investigations of climate",
        "Journal of Physical Oceanography 6, 379-389",
        "10.1175/1520-0485(1976)006<0379:AMFTTG>2.0.CO;2",
    ),
    "jiang1996": _paper(
        "Jiang, G.-S.; Shu, C.-W.",
        1996,
        "Efficient implementation of weighted ENO schemes",
        "Journal of Computational Physics 126, 202-228",
        "10.1006/jcph.1996.0130",
    ),
    # air
    "lemarie2021": _paper(
        "Lemarie, F.; others",
        2021,
        "A simplified atmospheric boundary layer model for an improved representation of air-sea "
        "interactions in eddying oceanic models: implementation and first evaluation in NEMO (4.0)",
        f"{_GMD} 14, 543-572",
        "10.5194/gmd-14-543-2021",
    ),
    "gryanik2020": _paper(
        "Gryanik, V. M.; Luepkes, C.; Grachev, A.; Sidorenko, D.",
        2020,
        "New modified and extended stability functions for the stable boundary layer based on "
        "SHEBA and parametrizations of bulk transfer coefficients for climate models",
        "Journal of the Atmospheric Sciences 77, 2687-2716",
        "10.1175/JAS-D-19-0255.1",
    ),
    "luepkes2015": _paper(
        "Luepkes, C.; Gryanik, V. M.",
        2015,
        "A stability-dependent parametrization of transfer coefficients for momentum and heat over "
        "polar sea ice to be used in climate models",
        f"{_JGR}: Atmospheres 120, 552-581",
        "10.1002/2014JD022418",
    ),
    # emulator
    "lang2024": Reference(
        "misc",
        ("Lang, S.", "others"),
        2024,
        "AIFS-CRPS: ensemble forecasting using a model trained with a loss function based on the "
        "continuous ranked probability score",
        "arXiv:2412.15832",
        "10.48550/arXiv.2412.15832",
    ),
    "liu2018": Reference(
        "inproceedings",
        ("Liu, G.", "others"),
        2018,
        "Image inpainting for irregular holes using partial convolutions",
        "Computer Vision, ECCV 2018",
        "10.1007/978-3-030-01252-6_6",
    ),
    # verification
    "goessling2016": _paper(
        "Goessling, H. F.; others",
        2016,
        "Predictability of the Arctic sea ice edge",
        "Geophysical Research Letters 43, 1642-1650",
        "10.1002/2015GL067232",
    ),
    "goessling2018": _paper(
        "Goessling, H. F.; Jung, T.",
        2018,
        "A probabilistic verification score for contours: methodology and application to Arctic "
        "ice-edge forecasts",
        f"{_QJ} 144, 735-743",
        "10.1002/qj.3242",
    ),
    "ferro2014": _paper(
        "Ferro, C. A. T.",
        2014,
        "Fair scores for ensemble forecasts",
        f"{_QJ} 140, 1917-1923",
        "10.1002/qj.2270",
    ),
    # products of others
    "nsidc0081": _data(
        "Maslanik, J.; Stroeve, J.",
        1999,
        "Near-Real-Time DMSP SSMIS Daily Polar Gridded Sea Ice Concentrations (NSIDC-0081)",
        _NSIDC,
        "10.5067/U8C09DWVX9LM",
    ),
    "nsidc_cdr": _data(
        "Meier, W. N.; others",
        2021,
        "NOAA/NSIDC Climate Data Record of Passive Microwave Sea Ice Concentration (G02202)",
        "National Snow and Ice Data Center",
        "10.7265/efmz-2t65",
        note="Version 4; version 5: doi:10.7265/rjzb-pf78.",
    ),
    "lavergne2019": _paper(
        "Lavergne, T.; others",
        2019,
        "Version 2 of the EUMETSAT OSI SAF and ESA CCI sea-ice concentration climate data records",
        f"{_TC} 13, 49-78",
        "10.5194/tc-13-49-2019",
        note="Credit: EUMETSAT OSI SAF, with the number and DOI of the product in the file.",
    ),
    "spreen2008": _paper(
        "Spreen, G.; Kaleschke, L.; Heygster, G.",
        2008,
        "Sea ice remote sensing using AMSR-E 89-GHz channels",
        f"{_JGR}: Oceans 113, C02S03",
        "10.1029/2005JC003384",
    ),
    "glissenaar2023": _paper(
        "Glissenaar, I. A.; Landy, J. C.; Babb, D. G.; Dawson, G. J.; Howell, S. E. L.",
        2023,
        "A long-term proxy for sea ice thickness in the Canadian Arctic: 1996-2020",
        f"{_TC} 17, 3269-3289",
        "10.5194/tc-17-3269-2023",
    ),
    "cryosat2": _data(
        "European Space Agency",
        2019,
        "CryoSat-2 L2 SAR Precise Orbit, Baseline D",
        "European Space Agency",
        "10.5270/CR2-53hztdl",
        note="Credit: ESA CryoSat-2.",
    ),
    "paul2018": _paper(
        "Paul, S.; Hendricks, S.; Ricker, R.; Kern, S.; Rinne, E.",
        2018,
        "Empirical parametrization of Envisat freeboard retrieval of Arctic and Antarctic sea ice "
        "based on CryoSat-2: progress in the ESA Climate Change Initiative",
        f"{_TC} 12, 2437-2460",
        "10.5194/tc-12-2437-2018",
    ),
    "ricker2017": _paper(
        "Ricker, R.; others",
        2017,
        "A weekly Arctic sea-ice thickness data record from merged CryoSat-2 and SMOS satellite "
        "data",
        f"{_TC} 11, 1607-1623",
        "10.5194/tc-11-1607-2017",
        note="The production of the merged CryoSat-SMOS sea ice thickness data was funded by the "
        "ESA project SMOS & CryoSat-2 Sea Ice Data Product Processing and Dissemination Service, "
        "and data were obtained from AWI.",
    ),
    "tiankunze2014": _paper(
        "Tian-Kunze, X.; others",
        2014,
        "SMOS-derived thin sea ice thickness: algorithm baseline, product specifications and "
        "initial verification",
        f"{_TC} 8, 997-1018",
        "10.5194/tc-8-997-2014",
    ),
    "lavergne2010": _paper(
        "Lavergne, T.; Eastwood, S.; Teffah, Z.; Schyberg, H.; Breivik, L.-A.",
        2010,
        "Sea ice motion from low-resolution satellite sensors: an alternative method and its "
        "validation in the Arctic",
        f"{_JGR} 115, C10032",
        "10.1029/2009JC005958",
        note="Credit: EUMETSAT OSI SAF.",
    ),
    "lavergne2023": _paper(
        "Lavergne, T.; Down, E.",
        2023,
        "A climate data record of year-round global sea-ice drift from the EUMETSAT Ocean and Sea "
        "Ice Satellite Application Facility (OSI SAF)",
        "Earth System Science Data 15, 5807-5834",
        "10.5194/essd-15-5807-2023",
        note="Credit: EUMETSAT OSI SAF, OSI-455.",
    ),
    "kimura2013": _paper(
        "Kimura, N.; Nishimura, A.; Tanaka, Y.; Yamaguchi, H.",
        2013,
        "Influence of winter sea-ice motion on summer ice cover in the Arctic",
        "Polar Research 32, 20193",
        "10.3402/polar.v32i0.20193",
        note="Cite the Arctic Data archive System (ADS), NIPR, too.",
    ),
    "iabp": _data(
        "International Arctic Buoy Programme",
        None,
        "Positions of drifting buoys",
        "Polar Science Center, University of Washington",
        url="https://iabp.apl.uw.edu",
    ),
    "finn2024": _data(
        "Finn, T. S.; others",
        2024,
        "Generative diffusion for regional surrogate models from sea-ice simulations: data",
        "Zenodo",
        "10.5281/zenodo.10949057",
    ),
    "williams2021": _paper(
        "Williams, T.; Korosov, A.; Rampal, P.; Olason, E.",
        2021,
        "Presentation and evaluation of the Arctic sea ice forecasting system neXtSIM-F",
        f"{_TC} 15, 3207-3227",
        "10.5194/tc-15-3207-2021",
        note="Credit: E.U. Copernicus Marine Service Information.",
    ),
    "hersbach2020": _paper(
        "Hersbach, H.; others",
        2020,
        "The ERA5 global reanalysis",
        f"{_QJ} 146, 1999-2049",
        "10.1002/qj.3803",
        note="Contains modified Copernicus Climate Change Service information.",
    ),
    "schyberg2020": _data(
        "Schyberg, H.; others",
        2020,
        "Arctic regional reanalysis (CARRA) on single levels from 1991 to present",
        _CDS,
        "10.24381/cds.713858f6",
        note="Contains modified Copernicus Climate Change Service information.",
    ),
    "metnorway": _data(
        "MET Norway",
        None,
        "AROME-Arctic weather forecasts",
        "Norwegian Meteorological Institute",
        url="https://thredds.met.no",
        note="Data from MET Norway, NLOD / CC BY 4.0.",
    ),
    "ncep": _data(
        "NOAA/NCEP",
        None,
        "Global Forecast System (GFS)",
        "National Centers for Environmental Prediction",
        url="https://www.nco.ncep.noaa.gov/pmb/products/gfs/",
    ),
}
"""By key of the BibTeX entry."""

PRODUCTS = {
    "nsidc0081": ("nsidc0081",),
    "nsidc_cdr": ("nsidc_cdr",),
    "osisaf_concentration": ("lavergne2019",),
    "amsr2_bremen": ("spreen2008",),
    "cryosat2_monthly": ("glissenaar2023",),
    "cryosat2_l2p": ("paul2018",),
    "cryosat2_l2i": ("cryosat2",),
    "cs2smos": ("ricker2017",),
    "cs2smos_climatology": ("ricker2017",),
    "smos_thin_ice": ("tiankunze2014",),
    "osisaf405": ("lavergne2010",),
    "osisaf_drift": ("lavergne2010", "lavergne2023"),
    "kimura": ("kimura2013",),
    "iabp": ("iabp",),
    "nextsim": ("finn2024",),
    "cmems_nextsim": ("williams2021",),
    "model_levels": ("hersbach2020",),
    "era5": ("hersbach2020",),
    "carra": ("schyberg2020",),
    "arome_arctic": ("metnorway",),
    "gfs": ("ncep",),
}
"""References of a product by the name that `identify` or `product_in` gives it."""

OF_NO_OWNER = {
    "floecast_observations",
    "gridded_thickness",
    "latlon_forcing",
    "nemo_icemod",
    "nemo_mesh",
    "nextsim_moorings",
    "pressure_levels",
    "projected_forcing",
    "wind_series",
}
"""Layouts that different owners use: who made such a file must be looked up."""
