"""What answers are made of: the names in them, and of what type each value is.

A shape is a dictionary from a name to a type. Names inside of names are joined by a dot; a list has
the shape of its first element, under `[]`.
"""

import json
import re

# Keys that are data rather than names: ids of sessions and servers, times, paths.
DATA = re.compile(r"-?\d+|/.*")
SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
WHOLE = re.compile(r"-?\d+$")
REAL = re.compile(r"-?\d+\.\d+(E-?\d+)?$")


def type_of(value) -> str:
    """The type of a JSON value."""
    if value is None:
        return "null"
    names = {bool: "boolean", int: "whole", float: "real", str: "text"}
    return names.get(type(value), "?")


def of_json(text: str) -> dict[str, str]:
    """The shape of a JSON object."""
    shape = {}
    _walk(json.loads(text), "", shape)
    return shape


def _walk(value, name: str, shape: dict[str, str]) -> None:
    if isinstance(value, dict):
        shape[name] = "object"
        for key, inner in value.items():
            key = "*" if DATA.match(key) else key
            _walk(inner, f"{name}.{key}" if name else key, shape)
    elif isinstance(value, list):
        shape[name] = "list"
        if value:
            _walk(value[0], name + "[]", shape)
    else:
        shape[name] = type_of(value)


def of_lines(text: str) -> dict[str, str]:
    """The shape of `mntr`: names and values with a tab between them."""
    shape = {}
    for line in text.splitlines():
        name, _, value = line.partition("\t")
        if WHOLE.match(value):
            shape[name] = "whole"
        elif REAL.match(value):
            shape[name] = "real"
        else:
            shape[name] = "text"
    return shape


def of_metrics(text: str) -> dict[str, str]:
    """The shape of a page for Prometheus: families with their types, samples with their labels.

    Every line must be one that Prometheus can read.
    """
    shape = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in shape, f"{name} is there twice"
            shape[name] = kind
        elif not line.startswith("#"):
            found = SAMPLE.match(line)
            assert found, f"no sample: {line}"
            float(found[3])
            labels = dict(LABEL.findall(found[2] or ""))
            shown = ["quantile=" + labels["quantile"]] if "quantile" in labels else []
            shown += sorted(label for label in labels if label != "quantile")
            shape[f"{found[1]}{{{','.join(shown)}}}"] = "sample"
    return shape
