"""Configurations that would fill the memory, take for ever or run code are refused at once."""

import subprocess
import sys

import pytest
import yaml

from floecast.assimilation_schema import assimilation_config
from floecast.config import load_config
from floecast.core.errors import InputError
from floecast.cycle_schema import cycle_config
from floecast.dataset_schema import dataset_config
from floecast.farm_schema import farm_config
from floecast.forecast_schema import forecast_config
from floecast.simulation_schema import simulation_config
from floecast.train_schema import train_config
from floecast.yaml_text import DEEPEST, parse_yaml

LOADERS = (
    load_config,
    assimilation_config,
    cycle_config,
    dataset_config,
    farm_config,
    forecast_config,
    simulation_config,
    train_config,
)


def laughs(levels, width=9):
    """Lists of aliases to lists of aliases: `width` to the power of `levels` values."""
    text = "a0: &a0 [x]\n"
    for level in range(levels):
        text += f"a{level + 1}: &a{level + 1} [{', '.join([f'*a{level}'] * width)}]\n"
    return text


BOMBS = {
    "aliases": (laughs(30), "more than 20000 values"),
    "merged": (
        "a0: &a0 {x: 1}\n"
        + "".join(f"a{n + 1}: &a{n + 1} {{<<: [{f'*a{n}, ' * 9}]}}\n" for n in range(30)),
        "more than 20000 values",
    ),
    "itself": ("a: &a [*a]\n", "more than 20000 values"),
    "deep lists": ("a: " + "[" * 90_000, f"deeper than {DEEPEST} levels"),
    "deep sections": ("{a: " * 40_000, f"deeper than {DEEPEST} levels"),
    "deep dashes": ("- " * 90_000, f"deeper than {DEEPEST} levels"),
    "huge value": ("name: " + "x" * 100_000, "a value of 100000 characters"),
    "huge number": ("name: " + "9" * 9_000, "is no int"),
    "huge key": ("? " + "x" * 100_000 + "\n: 1", "a value of 100000 characters"),
    "huge file": ("#" * 1_000_000, "is no configuration: 1000000 bytes"),
    "many keys": ("\n".join(f"k{n}: 1" for n in range(2_000)), "and [0-9]+ more"),
    "code": ("name: !!python/object/apply:os.system [exit]", "could not determine a constructor"),
    "object": ("name: !!python/name:os.system", "could not determine a constructor"),
    "bytes": (b"name: \xff\xfe\x00", "is not YAML"),
}


@pytest.mark.parametrize(
    ("load", "bomb"),
    [(load_config, bomb) for bomb in BOMBS] + [(load, "aliases") for load in LOADERS[1:]],
)
def test_refused(load, bomb, tmp_path):
    text, fault = BOMBS[bomb]
    path = tmp_path / "bomb.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=fault) as caught:
        load(path)
    message = str(caught.value)
    assert "bomb.yaml" in message and "\n" not in message and len(message) < 5000


def test_refused_in_bounded_memory(tmp_path):
    """All of them in a process that may take little memory."""
    code = (
        "import resource, sys\n"
        "from floecast.config import load_config\n"
        "from floecast.core.errors import InputError\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + 2**28,) * 2)\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        load_config(path)\n"
        "    except InputError:\n"
        "        print('refused')\n"
    )
    paths = []
    for number, (text, _) in enumerate(BOMBS.values()):
        paths.append(tmp_path / f"{number}.yaml")
        paths[-1].write_bytes(text if isinstance(text, bytes) else text.encode())
    done = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["refused"] * len(BOMBS)


def test_aliases_are_no_fault(tmp_path):
    assert parse_yaml("a: &a [1, 2]\nb: *a\n") == {"a": [1, 2], "b": [1, 2]}
    nested = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)
    assert parse_yaml(nested)
    with pytest.raises(yaml.YAMLError):
        parse_yaml(f"[[{nested}]]")


@pytest.mark.parametrize("name", ["..", "../up", "/etc", "a/b", ".hidden", "a\nb"])
def test_names_do_not_lead_out_of_the_folder_of_runs(name, tmp_path):
    path = tmp_path / "farm.yaml"
    path.write_text(yaml.safe_dump({"task": "simulate", "name": name, "over": {"seed": "0-1"}}))
    with pytest.raises(InputError, match="name"):
        farm_config(path)
    path.write_text(yaml.safe_dump({"name": name}))
    with pytest.raises(InputError, match="name: "):
        load_config(path)
    with pytest.raises(InputError, match="name: "):
        cycle_config(path)
