"""Physical constants of ice, snow, sea water and air that several parts share."""

ICE_DENSITY = 917.0
"""[kg/m3]"""
SNOW_DENSITY = 330.0
"""[kg/m3]"""
WATER_DENSITY = 1025.0
"""Of sea water, for its heat and for what floods snow [kg/m3]."""
MOVING_WATER_DENSITY = 1026.0
"""Of sea water, as the published cases of dynamics and the operators of freeboard have it
[kg/m3]."""
AIR_DENSITY = 1.3
"""Of cold air near the surface, as bulk stress and geostrophic wind take it [kg/m3]."""
GRAVITY = 9.81
"""[m/s2]; the boundary layer has the 9.8 of its references, `atmosphere.air.GRAVITY`."""
FREEZING_POINT = 271.35
"""Of sea water of salinity 33 [K]."""
LATENT_HEAT = 333550.0
"""Of fusion [J/kg]."""
VAPORISATION_HEAT = 2.501e6
"""Latent heat of evaporation of water [J/kg]."""
ICE_HEAT_CAPACITY = 2100.0
"""[J/kg/K]"""
WATER_HEAT_CAPACITY = 3987.0
"""Of sea water [J/kg/K]."""
MELTING_POINT = 273.15
"""Of fresh ice and snow [K]."""
ICE_MELTING = -0.055 * 5.0
"""Temperature at which sea ice with 5 g/kg of salt has melted entirely [C], the T_m of Winton."""
STEFAN_BOLTZMANN = 5.670374419e-8
"""[W/m2/K4]"""
THIN, THICK = 0.05, 30.0
"""Bounds of the mean thickness over the ice [m]: slush thinner than this gathers into floes, and
ridges are not piled higher; both change the area of ice, not its volume."""
LEAST_VOLUME = 1e-10
"""Ice volume per area below which a cell counts as free of ice [m]."""
