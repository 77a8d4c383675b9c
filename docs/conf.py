"""The site: `make docs` builds it into docs/_build/html, without a warning."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import pages  # noqa: E402  beside this file

from gracelstm_xr.version import __version__  # noqa: E402

project = "gracelstm_xr"
author = "The gracelstm_xr developers"
copyright = "2026, " + author
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "**/.ipynb_checkpoints", "**/commands.md"]

# Markdown and notebooks. The notebooks are shown with the outputs they keep; with
# GRACELSTM_EXECUTE_NOTEBOOKS=1 the build runs them, which takes minutes.
nb_execution_mode = (
    "force" if os.environ.get("GRACELSTM_EXECUTE_NOTEBOOKS") == "1" else "off"
)
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Functions and the verbs of the accessors.
autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# copied without the prompt
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

highlight_language = "none"  # blocks without a language are of the shell
html_theme = "pydata_sphinx_theme"
html_title = "gracelstm_xr"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {"getting-started": []}  # it has no pages below it
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "tango",
    "pygments_dark_style": "github-dark",
}

NOTEBOOK = re.compile(r"\]\((?:\.\./)+recipes/([\w]+)\.ipynb\)")


def link_notebooks(_app: object, docname: str, source: list[str]) -> None:
    """Lead from a page to the rendered notebook instead of the file in recipes/."""
    up = "../" * docname.count("/")
    source[0] = NOTEBOOK.sub(rf"]({up}notebooks/\1.ipynb)", source[0])


def setup(app: object) -> None:
    """Write the pages that follow from the code before Sphinx looks for pages."""
    pages.write(HERE)
    app.connect("source-read", link_notebooks)  # type: ignore[attr-defined]
