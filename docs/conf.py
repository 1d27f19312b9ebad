"""How the documentation is built: `make docs`, without a network."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # the code is imported, nothing is computed
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "src")]

project = "floecast"
author = copyright = "The floecast developers"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
extensions += ["mathml", "settings", "signatures"]  # of _ext
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}

# Names in single backticks of a docstring are linked where they are public.
default_role = "py:obj"
add_module_names = False
python_maximum_signature_line_length = 88

autodoc_typehints = "none"  # shapes and units stand in the docstrings
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "inherited-members": "Module, BaseModel"}
napoleon_google_docstring = False
napoleon_use_rtype = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "floecast"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
