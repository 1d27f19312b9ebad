"""Docstrings of the public names tell parameters, returns and errors as the code has them."""

import ast
import functools
import inspect
import re
import textwrap

import pydantic
import pytest

import floecast


def sections(text):
    """Lines of each section of a NumPy docstring by its title; what stands before has ``""``."""
    lines = inspect.cleandoc(text or "").splitlines()
    found, title = {"": []}, ""
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if re.fullmatch("-{3,}", below.strip()) and line.strip():
            title = line.strip()
            found[title] = []
        elif not re.fullmatch("-{3,}", line.strip()):
            found[title].append(line)
    return found


def named(lines):
    """Names that a section describes, in their order."""
    heads = [line.partition(" : ")[0] for line in lines if line and not line[0].isspace()]
    return [name.strip().lstrip("*") for head in heads for name in head.split(",")]


def parameters(thing):
    return [name for name in inspect.signature(thing).parameters if name not in ("self", "cls")]


@functools.cache
def body(function):
    """Statements of a function, without those of functions inside of it."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    inside, left = [], list(tree.body[0].body)
    while left:
        node = left.pop()
        inside.append(node)
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            left += ast.iter_child_nodes(node)
    return inside


def gives_something(function):
    values = [node.value for node in body(function) if isinstance(node, ast.Return)]
    return any(value is not None and ast.unparse(value) != "None" for value in values)


def refuses(function):
    """Whether it raises an InputError itself."""
    raised = [node.exc for node in body(function) if isinstance(node, ast.Raise) and node.exc]
    return any(ast.unparse(error).startswith("InputError(") for error in raised)


def faults(function, told):
    """What the sections of a docstring lack."""
    described, wanted = named(told.get("Parameters", [])), parameters(function)
    if described and described != wanted:
        yield f"Parameters are {described}, those of the code {wanted}"
    if refuses(function) and not any("InputError" in line for line in told.get("Raises", [])):
        yield "Raises lacks InputError"


def entries(lines):
    """What a section tells of each thing: its first line and the text below it."""
    found = []
    for line in filter(None, lines):
        if line[0].isspace() and found:
            found[-1][1] += f" {line.strip()}"
        else:
            found.append([line, ""])
    return found


def vague(told):
    """Arrays of a docstring without shape, or without unit where they are numbers."""
    for section in ("Parameters", "Attributes", "Returns"):
        for head, text in entries(told.get(section, [])):
            if not re.search(r"\barrays?\b", head) or "of the shape of" in head:
                continue
            if "(" not in head:
                yield f"{head}: no shape"
            number = not re.search(r"\b(bool|int|key|datetime64) arrays?\b", head)
            if number and not re.search(r"\[|\bunits?\b|\bAs (in )?`", text):
                yield f"{head}: no unit"


def told_above(kind, method):
    """Whether a class that `kind` comes from tells the parameters of a method."""
    above = (vars(parent)[method] for parent in kind.__mro__[1:] if method in vars(parent))
    return any("Parameters" in sections(function.__doc__) for function in above)


PUBLIC = [
    name
    for name in floecast.__all__
    if (inspect.isclass(getattr(floecast, name)) or inspect.isfunction(getattr(floecast, name)))
]
FUNCTIONS = [name for name in PUBLIC if inspect.isfunction(getattr(floecast, name))]
CLASSES = [name for name in PUBLIC if name not in FUNCTIONS]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    function = getattr(floecast, name)
    told = sections(function.__doc__)
    assert not [*faults(function, told), *vague(told)]
    assert "Parameters" in told or not parameters(function)
    assert "Returns" in told or not gives_something(function)


@pytest.mark.parametrize("name", CLASSES)
def test_classes(name):
    """A class tells what it is made of; a configuration does so in the descriptions of its keys."""
    kind = getattr(floecast, name)
    told = sections(kind.__doc__)
    assert told[""] and not list(vague(told))
    if issubclass(kind, pydantic.BaseModel | Exception) or getattr(kind, "_is_protocol", False):
        return
    described = named(told.get("Parameters", told.get("Attributes", [])))
    assert described == parameters(kind)


@pytest.mark.parametrize("name", CLASSES)
def test_methods(name):
    """A method tells its parameters, or refers to what does, or stands in for one that does."""
    found, kind = [], getattr(floecast, name)
    for method, function in vars(kind).items():
        function = getattr(function, "__func__", function)
        function = getattr(function, "__wrapped__", function)  # equinox wraps methods
        if method.startswith("_") or not inspect.isfunction(function):
            continue
        told = sections(function.__doc__)
        found += [f"{method}: {fault}" for fault in faults(function, told)]
        found += [f"{method}: {fault}" for fault in vague(told)]
        if not any(told.values()):
            found.append(f"{method}: no docstring")
        if not (parameters(function) == [] or "Parameters" in told or told_above(kind, method)):
            if not re.match(r"(See |As of )?`\w+", told[""][0]):
                found.append(f"{method}: Parameters are missing")
        if "Parameters" in told and gives_something(function) and "Returns" not in told:
            found.append(f"{method}: Returns is missing")
    assert not found


def test_methods_are_found():
    wrapped = vars(floecast.Simulator)["step"]
    assert inspect.isfunction(getattr(wrapped, "__wrapped__", wrapped))


def test_the_checks_can_fail():
    def function(first, second):
        """Something.

        Parameters
        ----------
        second, first
        """
        raise InputError("no")  # noqa: F821

    told = sections(function.__doc__)
    assert len(list(faults(function, told))) == 2 and not gives_something(function)
    assert named(told["Parameters"]) == ["second", "first"]
