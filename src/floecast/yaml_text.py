"""Configuration files as text: safe YAML that refuses what is ambiguous, and what is a bomb."""

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

LONGEST = 200_000
"""Characters of a configuration; those of floecast have a few thousand."""
DEEPEST = 30
"""Sections within sections."""
LONGEST_VALUE = 10_000
"""Characters of one key or value."""
MOST_VALUES = 20_000
"""Keys and values, each as often as aliases repeat it."""


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key that stands twice, and names the line of a wrong value."""

    depth = 0

    def compose_node(self, parent, index):
        self.depth += 1
        if self.depth > DEEPEST:
            mark = self.peek_event().start_mark
            raise ComposerError(None, None, f"nested deeper than {DEEPEST} levels", mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        if isinstance(node, yaml.ScalarNode) and len(node.value) > LONGEST_VALUE:
            fault = f"a value of {len(node.value)} characters, expected {LONGEST_VALUE} at most"
            raise ComposerError(None, None, fault, node.start_mark)
        return node

    def get_single_node(self):
        node = super().get_single_node()
        if node is not None and _values(node, {}) > MOST_VALUES:
            fault = f"more than {MOST_VALUES} values, with what aliases repeat"
            raise ComposerError(None, None, fault, node.start_mark)
        return node

    def construct_object(self, node, deep=False):
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, AttributeError):  # such as of 2015-02-30
            fault = f"{str(node.value)[:60]!r} is no {node.tag.rpartition(':')[2]}"
            raise ConstructorError(None, None, fault, node.start_mark) from None

    def construct_mapping(self, node, deep=False):
        written = set()
        for key, _ in node.value:
            if (key.tag, str(key.value)) in written:
                raise ConstructorError(None, None, f"{key.value} stands twice", key.start_mark)
            written.add((key.tag, str(key.value)))
        return super().construct_mapping(node, deep)


def _values(node, known):
    """Keys and values below a node, where each alias counts as all that it stands for."""
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1  # of an alias to what it lies in
        inner = []
        if isinstance(node, yaml.SequenceNode):
            inner = node.value
        elif isinstance(node, yaml.MappingNode):
            inner = [one for pair in node.value for one in pair]
        known[id(node)] = 1 + sum(_values(one, known) for one in inner)
    return known[id(node)]


def parse_yaml(text):
    """What YAML text holds; raises a `yaml.YAMLError` that names the line."""
    if len(text) > LONGEST:
        raise yaml.YAMLError(f"{len(text)} characters, expected {LONGEST} at most")
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
