"""NEMO's mesh mask, and drift from the faces of its cells to their centres."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.io.nemo_files import faces_to_centres, read_mesh

from . import ice_layouts as layouts


def test_faces_to_centres():
    """A velocity that is linear along its axis is so at the centres; a coast stands still."""
    face = np.arange(6.0) + 0.5
    u = np.broadcast_to(face, (2, 4, 6)).copy()
    v = np.broadcast_to(face[:, None], (2, 6, 4)).copy()
    u[..., 3] = np.nan
    at_centre, _ = faces_to_centres(u, u)
    np.testing.assert_allclose(at_centre[0, 0], [0.5, 1, 2, 1.25, 2.25, 5])
    _, at_centre = faces_to_centres(v, v)
    np.testing.assert_allclose(at_centre[1, :, 2], [0.5, 1, 2, 3, 4, 5])


def test_mesh_mask_of_the_surface(tmp_path):
    mesh = layouts.mesh_mask()
    mesh["tmaskutil"][0, 3] = 0
    latitude, longitude, ocean = read_mesh(layouts.write(mesh, tmp_path / "mesh.nc"))
    there = layouts.places()
    np.testing.assert_allclose(latitude, there[0])
    np.testing.assert_allclose(longitude, there[1])
    expected = ~layouts.land(*there[:2])
    expected[3] = False
    np.testing.assert_array_equal(ocean, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop_vars("glamt"), "glamt is missing"),
        (lambda d: d.assign(gphit=d.gphit + 90), "gphit is .* out of range"),
        (lambda d: d.assign(tmask=d.tmask[0, 0, 0]), "tmask has dimensions"),
        (lambda d: d.assign(glamt=(("t", "q", "x"), d.glamt.values[:, :4])), "glamt has shape"),
    ],
)
def test_wrong_mesh_masks_are_refused(change, message, tmp_path):
    path = layouts.write(change(layouts.mesh_mask()), tmp_path / "mesh.nc")
    with pytest.raises(InputError, match=message):
        read_mesh(path)
