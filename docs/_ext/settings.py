"""Tables of the settings of a configuration, made from its schema: ``{settings} module:Class``."""

import json
from importlib import import_module

from sphinx.util.docutils import SphinxDirective

_BOUNDS = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "above"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "below"),
    ("multipleOf", "multiple of"),
)
_WORDS = {"number": "number", "integer": "whole number", "boolean": "true or false"}
_WORDS |= {"string": "text", "null": "null"}


class Settings(SphinxDirective):
    """One table a section."""

    required_arguments = 1

    def run(self):
        """Nodes of all tables."""
        module, _, name = self.arguments[0].partition(":")
        schema = getattr(import_module(module), name).model_json_schema()
        parts = [_table(schema)]
        parts += [
            f"**{name}**: {section.get('description', '').rstrip('.')}.\n\n{_table(section)}"
            for name, section in schema.get("$defs", {}).items()
            if "properties" in section
        ]
        return self.parse_text_to_nodes("\n\n".join(parts))


def _table(section):
    rows = ["| key | value | default | |", "|---|---|---|---|"]
    required = section.get("required", [])
    for key, field in section["properties"].items():
        default = "needed" if key in required else _default(field)
        text = field.get("description", "").replace("|", "\\|")
        rows.append(f"| `{key}` | {_value(field)} | {default} | {text} |")
    return "\n".join(rows)


def _default(field):
    value = field.get("default")
    if value is None:
        return "none"
    if value == "":
        return "empty"
    sections = value[:1] if isinstance(value, list) else [value]
    if any(isinstance(one, dict) for one in sections) and "additionalProperties" not in field:
        return "its defaults"  # those of the section
    return f"`{json.dumps(value)}`"


def _value(field):
    """What may stand there, in words."""
    if "$ref" in field:
        return f"section {field['$ref'].rpartition('/')[2]}"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{one}`" for one in field["enum"])
    choices = field.get("anyOf") or field.get("oneOf")
    if choices:
        return " or ".join(_value(one) for one in choices if one.get("type") != "null")
    kind = field.get("type")
    if kind == "array":
        items = field.get("items") or (field.get("prefixItems") or [{}])[0]
        return f"list of: {_value(items)}"
    if kind == "object":
        return "keys and values"
    if field.get("format") == "date-time":
        return "time, UTC"
    limits = [f"{word} {field[name]}" for name, word in _BOUNDS if name in field]
    return ", ".join([_WORDS.get(kind, str(kind)), *limits])


def setup(app):
    """Tell Sphinx."""
    app.add_directive("settings", Settings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
