"""The settings file: flat TOML, one key per setting (``local_dir = "/var/lib/s3d"``)."""

from __future__ import annotations

import tomllib
from pathlib import Path

from s3d.daemon.settings import SETTINGS, Setting, closest

_KEYS = {setting.key: setting for setting in SETTINGS.values() if setting.in_file}


def read(file: Path, problems: list[str]) -> dict[str, str]:
    """The settings in the file as text, by environment variable. What is wrong is appended to ``problems``."""
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        problems.append(f"S3D_CONFIG: cannot read {file}: {error.strerror or error}")
        return {}
    except ValueError as error:  # not TOML, or not UTF-8
        problems.append(f"S3D_CONFIG: {file} is not a TOML file: {error}")
        return {}
    found = {}
    for key, value in document.items():
        setting = _KEYS.get(key)
        if setting is None:
            problems.append(_unknown(file, key, value))
        elif (text := _text(setting, value)) is None:
            given = "a value of this type" if setting.secret else repr(value)
            problems.append(f"{file}: {key} cannot be {given}: {_accepted(setting)}")
        else:
            found[setting.name] = text
    return found


def _text(setting: Setting, value: object) -> str | None:
    """The value as a variable would hold it, or None if it is of a wrong type (True is no number)."""
    if type(value) not in setting.toml:
        return None
    if isinstance(value, list):
        return ",".join(value) if all(isinstance(item, str) for item in value) else None
    return str(value)


def _accepted(setting: Setting) -> str:
    names = {str: "a string in quotes", int: "a whole number", float: "a number", list: "a list of strings"}
    return "accepted is " + " or ".join(names[kind] for kind in setting.toml)


def _unknown(file: Path, key: str, value: object) -> str:
    known = closest(key, list(_KEYS)) or (SETTINGS[key].key if key in SETTINGS and SETTINGS[key].in_file else None)
    if key == "config" or key == "S3D_CONFIG":
        return f"{file}: {key} cannot be set in the file itself: use the variable S3D_CONFIG or the flag --config"
    if isinstance(value, dict):
        names = [f"{key}_{name}" for name in value if f"{key}_{name}" in _KEYS]
        example = f", such as {names[0]} = ..." if names else ""
        return f"{file}: there is no table [{key}] of settings: keys stand at the top level{example}"
    hint = f"did you mean {known}?" if known else "remove it; `s3d run --help` lists the settings"
    return f"{file}: {key} is not a setting of s3d: {hint}"
