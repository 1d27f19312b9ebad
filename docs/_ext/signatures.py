"""Signatures with short defaults: what a default is made of stands with its own class."""

import re

_LONG = 20


def shorten(signature):
    """A signature in which long contents of brackets, and functions, are told by name alone."""
    signature = re.sub(r"<function <lambda>>|<factory>", "...", signature)
    signature = re.sub(r"<function (\w+)>", r"\1", signature)
    depth, kept, begin = 0, "", 0
    for place, letter in enumerate(signature):
        depth += (letter == "(") - (letter == ")")
        if letter == "(" and depth == 2:
            begin = place + 1
        if letter == ")" and depth == 1:
            inside = signature[begin:place]
            kept += "..." if len(inside) > _LONG else inside
        if depth < 2 or (letter == "(" and depth == 2):
            kept += letter
    return kept


def _process(app, what, name, thing, options, signature, returns):
    return None if signature is None else (shorten(signature), returns)


def setup(app):
    """Tell Sphinx."""
    app.connect("autodoc-process-signature", _process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
