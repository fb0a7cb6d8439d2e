"""Python values to libconfig text, for configurations that a test computes."""


def dump(value, indent=0):
    pad = "\t" * indent
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, dict):
        inner = "".join(f"{pad}\t{k} = {dump(v, indent + 1)};\n" for k, v in value.items())
        return "{\n" + inner + pad + "}"
    if isinstance(value, (list, tuple)):
        if not value:
            return "( )"
        scalars = all(isinstance(v, (bool, int, float, str)) for v in value)
        if scalars:
            return "[ " + ", ".join(dump(v) for v in value) + " ]"
        return "(\n" + ",\n".join(pad + "\t" + dump(v, indent + 1) for v in value) + "\n" + pad + ")"
    raise TypeError(f"libconfig has no {type(value).__name__}")


def dumps(settings):
    """A whole file from a dict of top-level settings."""
    return "".join(f"{k} = {dump(v)};\n" for k, v in settings.items())
