"""Make the land masks and the coastline that ship inside the package from Natural Earth.

    python tools/make_land_assets.py land-50m.json

The argument is the 1:50m land layer as TopoJSON, from the npm package ``world-atlas``
(``npm pack world-atlas@2.0.2``). The arrays land in ``src/floecast/core/assets``; the same input
gives the same bytes.
"""

import argparse
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import scipy.ndimage
import shapely
from numpy.lib import format as npy_format

from floecast.core.projection import EPSG_3413

ASSETS = Path(__file__).parents[1] / "src" / "floecast" / "core" / "assets"
HALF_WIDTH = 3.2e6  # m: the presets cover |x|, |y| <= HALF_WIDTH
PRESETS = {"arctic100": 64, "arctic50": 128, "arctic25": 256, "arctic12": 512}
SOUTHERN_LIMIT = 35.0  # degrees north: rings wholly south of it are left out
COASTLINE_LIMIT = 40.0  # degrees north
POLYGON_MARGIN = 4.0e5  # m
LONGEST_EDGE = 0.1  # degrees
SHORTEST_DETAIL = 2.0e3  # m: the drawn coastline is simplified to this
SMALLEST_ISLAND = 2.5e7  # m2: smaller ones are not drawn
ROUNDING = 100.0  # m

# Passages that coarse cells close: the presets in which they are opened by hand, and their course
# as longitude-latitude points. Without them Baffin Bay, Hudson Bay and the White Sea would be
# cut off. Nares Strait (35 km wide) stays closed at 100 km, where it would drain the Lincoln Sea.
STRAITS = {
    "Barrow Strait and Lancaster Sound": (
        ("arctic100", "arctic50"),
        [(-104.0, 74.2), (-92.0, 74.4), (-78.0, 74.2)],
    ),
    "Gorlo of the White Sea": (
        ("arctic100", "arctic50"),
        [(38.5, 65.8), (41.3, 66.6), (41.8, 68.2)],
    ),
    "Nares Strait": (
        ("arctic50",),
        [(-57.0, 82.8), (-63.5, 81.4), (-69.0, 80.3), (-71.5, 79.2), (-74.0, 78.2), (-74.5, 77.0)],
    ),
}


def read_rings(path):
    """Polygons of a TopoJSON file, each a list of (n, 2) longitude-latitude rings."""
    topology = json.loads(Path(path).read_text())
    scale, translate = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    arcs = [np.cumsum(arc, axis=0) * scale + translate for arc in topology["arcs"]]

    def ring(indices):
        pieces = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indices]
        return np.concatenate([pieces[0]] + [piece[1:] for piece in pieces[1:]])

    return [
        [ring(indices) for indices in polygon]
        for geometry in topology["objects"]["land"]["geometries"]
        for polygon in geometry["arcs"]
    ]


def densify(ring):
    """Points put into the long edges of a longitude-latitude ring, the short way round."""
    ring = np.column_stack([np.unwrap(ring[:, 0], period=360.0), ring[:, 1]])
    pieces = np.ceil(np.abs(np.diff(ring, axis=0)).max(axis=1) / LONGEST_EDGE).astype(int)
    position = np.arange(len(ring))
    fine = np.concatenate([i + np.arange(n) / n for i, n in enumerate(pieces)] + [[position[-1]]])
    return np.column_stack([np.interp(fine, position, column) for column in ring.T])


def project_land(polygons):
    """One valid geometry of the land in map metres."""
    parts = []
    for rings in polygons:
        if rings[0][:, 1].max() > SOUTHERN_LIMIT:
            mapped = [
                np.column_stack(EPSG_3413.forward(ring[:, 1], ring[:, 0]))
                for ring in map(densify, rings)
            ]
            parts.append(shapely.make_valid(shapely.Polygon(mapped[0], mapped[1:])))
    return shapely.union_all(parts)


def fill_fraction(fraction, land, row, column, size, cell):
    """Write the exact land fraction of a block of cells, quartering it until it is uniform."""
    west, south = column * cell - HALF_WIDTH, row * cell - HALF_WIDTH
    side = size * cell
    piece = shapely.clip_by_rect(land, west, south, west + side, south + side)
    covered = piece.area / side**2
    if size == 1 or min(covered, 1.0 - covered) < 1e-12:
        fraction[row : row + size, column : column + size] = covered
        return
    half = size // 2
    for j in (row, row + half):
        for i in (column, column + half):
            fill_fraction(fraction, piece, j, i, half, cell)


def open_straits(preset, ocean, fraction):
    """Make the cells along the hand-drawn passages ocean, connected through cell sides."""
    spacing = 2.0 * HALF_WIDTH / len(ocean)
    for presets, line in STRAITS.values():
        if preset not in presets:
            continue
        longitude, latitude = np.array(line).T
        knots = np.linspace(0, len(line) - 1, 1000)
        x, y = EPSG_3413.forward(
            np.interp(knots, np.arange(len(line)), latitude),
            np.interp(knots, np.arange(len(line)), longitude),
        )
        cells = ((np.column_stack([y, x]) + HALF_WIDTH) // spacing).astype(int)
        for before, after in zip(cells[:-1], cells[1:], strict=True):
            ocean[tuple(after)] = True
            if np.all(before != after):
                corners = [(before[0], after[1]), (after[0], before[1])]
                ocean[min(corners, key=lambda corner: fraction[corner])] = True


def ocean_masks(land):
    """Ocean mask of every preset: mostly water, and joined to the main ocean through cell sides."""
    finest = max(PRESETS.values())
    fraction = np.empty((finest, finest))
    fill_fraction(fraction, land, 0, 0, finest, 2.0 * HALF_WIDTH / finest)
    fraction[(fraction < 0.5) & ~main_ocean(fraction < 0.5)] = 1.0
    masks = {}
    for name, side in PRESETS.items():
        block = finest // side
        mean = fraction.reshape(side, block, side, block).mean(axis=(1, 3))
        water = mean < 0.5
        open_straits(name, water, mean)
        masks[name] = main_ocean(water)
    return masks


def main_ocean(water):
    """Largest piece of the water that is joined through cell sides."""
    labels, _ = scipy.ndimage.label(water)
    return labels == np.bincount(labels[water]).argmax()


def square(half_width):
    """Pole-centred square on the map."""
    return shapely.box(-half_width, -half_width, half_width, half_width)


def joined(lines):
    """Coordinates of lines as two float32 columns, with NaN between one line and the next."""
    gap = np.full((1, 2), np.nan)
    rounded = [np.round(shapely.get_coordinates(line) / ROUNDING) * ROUNDING for line in lines]
    pieces = [piece for line in rounded for piece in (line, gap)]
    return np.concatenate(pieces[:-1]).astype(np.float32).T


def drawn_coast(land):
    """Coastline north of its limit and fillable land rings of the square with its margin."""
    islands = [part for part in land.geoms if part.area > SMALLEST_ISLAND]
    plain = shapely.MultiPolygon(islands).simplify(SHORTEST_DETAIL)
    circle_longitude = np.arange(0.0, 360.0, 0.25)
    circle = EPSG_3413.forward(COASTLINE_LIMIT, circle_longitude)
    coast = shapely.intersection(plain.boundary, shapely.Polygon(np.column_stack(circle)))
    x, y = joined(shapely.get_parts(shapely.line_merge(coast)))
    filled = shapely.get_parts(shapely.intersection(plain, square(HALF_WIDTH + POLYGON_MARGIN)))
    if any(len(part.interiors) for part in filled):
        raise ValueError("a land polygon of the square has a hole, which rings cannot hold")
    polygon_x, polygon_y = joined([part.exterior for part in filled])
    return {"x": x, "y": y, "polygon_x": polygon_x, "polygon_y": polygon_y}


def write_archive(path, arrays):
    """Write an .npz file whose bytes depend on the arrays alone, not on the clock."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            npy_format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, buffer.getvalue(), compresslevel=9)
    print(f"{path.name}: {path.stat().st_size} bytes")


def main():
    """Read the land layer, write the two archives and report the ocean share of every preset."""
    parser = argparse.ArgumentParser(description="Make the land assets from Natural Earth.")
    parser.add_argument("topojson", type=Path, help="land-50m.json of the npm package world-atlas")
    land = project_land(read_rings(parser.parse_args().topojson))
    masks = ocean_masks(shapely.intersection(land, square(HALF_WIDTH)))
    for name, mask in masks.items():
        print(f"{name}: {mask.sum()} ocean cells, {mask.mean():.4f} of the square")
    ASSETS.mkdir(parents=True, exist_ok=True)
    packed = {f"ocean_{name}": np.packbits(mask) for name, mask in masks.items()}
    write_archive(ASSETS / "land.npz", packed)
    write_archive(ASSETS / "coastline.npz", drawn_coast(land))


if __name__ == "__main__":
    main()
