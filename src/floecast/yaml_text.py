"""Configuration files as text: safe YAML that refuses what is ambiguous."""

import yaml
from yaml.constructor import ConstructorError


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key that stands twice, and names the line of a wrong value."""

    def construct_object(self, node, deep=False):
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, AttributeError):  # such as of 2015-02-30
            fault = f"{node.value!r} is no {node.tag.rpartition(':')[2]}"
            raise ConstructorError(None, None, fault, node.start_mark) from None

    def construct_mapping(self, node, deep=False):
        written = set()
        for key, _ in node.value:
            if (key.tag, str(key.value)) in written:
                raise ConstructorError(None, None, f"{key.value} stands twice", key.start_mark)
            written.add((key.tag, str(key.value)))
        return super().construct_mapping(node, deep)


def parse_yaml(text):
    """What YAML text holds; raises a `yaml.YAMLError` that names the line."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
