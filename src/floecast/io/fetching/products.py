"""The products that can be fetched: where they are, under which names, since and until when.

Every row tells where its layout was seen and when that was. None of it could be tried from here:
services move their files, and the rows are the only place to change then.
"""

from datetime import date

from .kinds import (
    Addresses,
    Folders,
    Granules,
    Login,
    MarineFiles,
    Product,
    Requests,
    Runs,
    Series,
)

_EARTHDATA = Login(
    "netrc",
    "register at https://urs.earthdata.nasa.gov/users/new, put 'machine urs.earthdata.nasa.gov "
    "login NAME password WORD' into ~/.netrc, and allow the NSIDC applications in your profile",
    "urs.earthdata.nasa.gov",
)
_MARINE = Login(
    "marine",
    "register at https://data.marine.copernicus.eu/register, then run: copernicusmarine login",
)
_CDS = Login(
    "cds",
    "register at https://cds.climate.copernicus.eu, put the two lines of "
    "https://cds.climate.copernicus.eu/how-to-api into ~/.cdsapirc, and accept the licence of the "
    "data set on its page",
)

_OSISAF = "https://thredds.met.no/thredds/fileServer/osisaf/met.no"
_CCI = "https://dap.ceda.ac.uk/neodc/esacci/sea_ice/data/sea_ice_thickness/L2P/cryosat2"
_AWI = "ftp://ftp.awi.de/sea_ice/product/cryosat2_smos"
_GFS = (
    "https://noaa-gfs-bdp-pds.s3.amazonaws.com/gfs.{run:%Y%m%d}/{run:%H}/atmos/"
    "gfs.t{run:%H}z.pgrb2.0p25.f{lead:03d}"
)
# The mean where a field comes as a value and as a mean as well: that is what readers expect.
_GFS_FIELDS = (
    r"[UV]GRD:10 m above ground:\d+ hour fcst",
    r"(TMP|SPFH):2 m above ground:\d+ hour fcst",
    r"PRES:surface:\d+ hour fcst",
    r"PRMSL:mean sea level:\d+ hour fcst",
    r"(DSWRF|DLWRF|PRATE|CSNOW):surface:\d+-\d+ hour ave fcst",
)
_GFS_SEEN = "registry.opendata.aws/noaa-gfs-bdp-pds, lists of 2026-08-09; seen 2026-11-23"
_HOURS = [f"{hour:02d}:00" for hour in range(24)]
_ERA5 = {
    "product_type": ["reanalysis"],
    "time": _HOURS,
    "area": [90, -180, 40, 180],
    "data_format": "netcdf",
    "download_format": "unarchived",
}


def _carra(domain):
    request = {
        "domain": domain,
        "level_type": "surface_or_atmosphere",
        "product_type": "analysis",
        "variable": [
            "10m_u_component_of_wind",
            "10m_v_component_of_wind",
            "2m_temperature",
            "2m_relative_humidity",
            "surface_pressure",
        ],
        "time": _HOURS[::3],
        "data_format": "netcdf",
    }
    return Product(
        f"CARRA, {domain.replace('_', ' ')}, 2.5 km, analyses every 3 h",
        Requests("reanalysis-carra-single-levels", {"analysis": request}),
        "requests in public scripts; seen 2026-11-23",
        _CDS,
    )


PRODUCTS = {
    "osisaf-concentration": Product(
        "OSI-401, concentration from SSMIS, near real time, 10 km",
        Addresses(
            (
                Series(
                    _OSISAF + "/ice/conc/{day:%Y/%m}/"
                    "ice_conc_nh_polstere-100_multi_{day:%Y%m%d}1200.nc"
                ),
            )
        ),
        "addresses in public scripts; seen 2026-11-23",
    ),
    "osisaf-concentration-amsr2": Product(
        "OSI-408, concentration from AMSR2, near real time, 10 km",
        Addresses(
            (
                Series(
                    _OSISAF + "/ice/amsr2_conc/{day:%Y/%m}/"
                    "ice_conc_nh_polstere-100_amsr2_{day:%Y%m%d}1200.nc"
                ),
            )
        ),
        "addresses in public scripts; seen 2026-11-23",
    ),
    "osisaf-concentration-cdr": Product(
        "OSI-450-a1, then OSI-430-a, then OSI-438, climate data record of concentration, 25 km",
        Addresses(
            (
                Series(
                    _OSISAF + "/reprocessed/ice/conc_450a1_files/{day:%Y/%m}/"
                    "ice_conc_nh_ease2-250_cdr-v3p1_{day:%Y%m%d}1200.nc",
                    date(1978, 10, 25),
                    date(2020, 12, 31),
                ),
                Series(
                    _OSISAF + "/reprocessed/ice/conc_cra_files/{day:%Y/%m}/"
                    "ice_conc_nh_ease2-250_icdr-v3p0_{day:%Y%m%d}1200.nc",
                    date(2021, 1, 1),
                    date(2025, 9, 30),
                ),
                Series(
                    _OSISAF + "/reprocessed/ice/conc_438_files/{day:%Y/%m}/"
                    "ice_conc_nh_ease2-250_icdr-v3p0-amsr_{day:%Y%m%d}1200.nc",
                    date(2025, 10, 1),
                ),
            )
        ),
        "osi-saf.eumetsat.int/products/osi-430-a and addresses in public scripts; seen 2026-11-23",
    ),
    "osisaf-drift": Product(
        "OSI-405, drift of 48 h, near real time, 62.5 km; the day is the middle",
        Addresses(
            (
                Series(
                    _OSISAF + "/ice/drift_lr/merged/{after:%Y/%m}/ice_drift_nh_polstere-625_"
                    "multi-oi_{before:%Y%m%d}1200-{after:%Y%m%d}1200.nc"
                ),
            )
        ),
        "addresses in public scripts; seen 2026-11-23",
    ),
    "osisaf-drift-cdr": Product(
        "OSI-455, climate data record of drift of 24 h, 75 km; the day is the end",
        Addresses(
            (
                Series(
                    _OSISAF + "/reprocessed/ice/drift_455m_files/merged/{day:%Y/%m}/"
                    "ice_drift_nh_ease2-750_cdr-v1p0_24h-{day:%Y%m%d}1200.nc",
                    date(1991, 1, 1),
                    date(2020, 12, 31),
                ),
            )
        ),
        "addresses in public scripts; seen 2026-11-23",
    ),
    "nsidc-0081": Product(
        "NSIDC-0081 version 2, concentration, 25 km; not continued after 2026-01-15",
        Granules(
            "https://cmr.earthdata.nasa.gov/search/granules.umm_json",
            "NSIDC-0081",
            "2",
            r"NSIDC0081_SEAICE_PS_N25km_(?P<day>\d{8})_v2\.0\.nc",
        ),
        "nsidc.org notice of the move to the Earthdata Cloud, 2026-01; seen 2026-11-23",
        _EARTHDATA,
    ),
    "amsr2-bremen": Product(
        "AMSR2 concentration of the University of Bremen (ASI 5.4), 3.125 km",
        Addresses(
            (
                Series(
                    "https://data.seaice.uni-bremen.de/amsr2/asi_daygrid_swath/n3125/netcdf/"
                    "{day:%Y}/asi-AMSR2-n3125-{day:%Y%m%d}-v5.4.nc",
                    date(2012, 7, 2),
                ),
            )
        ),
        "addresses in public scripts; seen 2026-11-23",
    ),
    "cs2smos": Product(
        "CS2SMOS version 2.06, weekly thickness for each day, 25 km; the day is the middle",
        Folders(
            _AWI + "/v206/nh/{month:%Y/%m}",
            r"W_XX-ESA,SMOS_CS2,NH_25KM_EASE2_(?P<first>\d{8})_(?P<last>\d{8})_[a-z]_v206_\d\d"
            r"_l4sit\.nc",
        ),
        "addresses in public scripts; seen 2026-11-23",
    ),
    "cs3smos": Product(
        "CS2SMOS version 3, weekly thickness for each day, 12.5 km; the day is the middle",
        Folders(
            _AWI + "/v300/nh/{month:%Y/%m}",
            r"[\w,-]*NH_12P5KM_EASE2_(?P<first>\d{8})_(?P<last>\d{8})_[\w]*\.nc",
        ),
        "folder in public scripts, names taken to follow version 2.06; seen 2026-11-23",
    ),
    "cryosat2-thickness": Product(
        "CryoSat-2 thickness along tracks, ESA CCI version 4.0, October to April",
        Addresses(
            (
                Series(
                    _CCI + "/v4.0/NH/{day:%Y/%m}/"
                    "ESACCI-SEAICE-L2P-SITHICK-SIRAL_CRYOSAT2-NH-{day:%Y%m%d}-fv4p0.nc",
                    date(2010, 11, 1),
                ),
            )
        ),
        "names of version 4.0 and folders of version 2.0 in public scripts; seen 2026-11-23",
    ),
    "cmems-arctic": Product(
        "neXtSIM forecast of Copernicus Marine, 3 km, hourly; the newest issue of each day",
        MarineFiles(
            "cmems_mod_arc_phy_anfc_nextsim_hm",
            r"(?P<day>\d{8})_hr-nersc-MODEL-nextsimf-ARC-b(?P<issue>\d{8})-fv\d\d\.\d\.nc",
        ),
        "ARCTIC_ANALYSISFORECAST_PHY_ICE_002_011, names in public scripts; seen 2026-11-23",
        _MARINE,
    ),
    "era5": Product(
        "ERA5 surface weather north of 40 N, hourly",
        Requests(
            "reanalysis-era5-single-levels",
            # Apart, because the store packs values and sums that are asked for together.
            {
                "values": _ERA5
                | {
                    "variable": [
                        "10m_u_component_of_wind",
                        "10m_v_component_of_wind",
                        "2m_temperature",
                        "2m_dewpoint_temperature",
                        "surface_pressure",
                    ]
                },
                "sums": _ERA5
                | {
                    "variable": [
                        "surface_solar_radiation_downwards",
                        "surface_thermal_radiation_downwards",
                        "snowfall",
                    ]
                },
            },
        ),
        "requests in public scripts; seen 2026-11-23",
        _CDS,
    ),
    "carra-west": _carra("west_domain"),
    "carra-east": _carra("east_domain"),
    "gfs": Product(
        "GFS surface weather of the past, 0.25 degree, every 3 h from 3 and 6 h of lead",
        Runs(_GFS, _GFS_FIELDS, short=True),
        _GFS_SEEN,
    ),
    "gfs-forecast": Product(
        "GFS surface weather, 0.25 degree, every 3 h from the run of 00 UTC of the first day",
        Runs(_GFS, _GFS_FIELDS, short=False),
        _GFS_SEEN,
    ),
}
"""By the name that users write."""
