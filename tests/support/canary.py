"""Searching everything a server left behind for things that must not be there."""

import base64
import os
import pathlib


def forms(secret: bytes) -> dict[str, bytes]:
    """The shapes in which a secret could lie about: raw, UTF-16, hex, base64 at each of its three offsets."""
    text = secret.decode("latin-1")
    shapes = {
        "raw": secret,
        "UTF-16LE": text.encode("utf-16-le"),
        "UTF-16BE": text.encode("utf-16-be"),
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "reversed": secret[::-1],
    }
    for offset in range(3):
        padded = base64.b64encode(b"\0" * offset + secret)
        # The first and last characters depend on the neighbours; the middle does not.
        middle = padded[4 if offset else 0 : len(padded) - 4]
        shapes[f"base64+{offset}"] = middle
        shapes[f"base64url+{offset}"] = middle.replace(b"+", b"-").replace(b"/", b"_")
    return shapes


def search(places, secrets) -> list[str]:
    """Where a secret was found, in file contents and file names; empty when nowhere."""
    found = []
    shapes = [(name, kind, form) for name, secret in secrets.items() for kind, form in forms(secret).items()]
    for path in files(places):
        content = path.read_bytes()
        file_name = os.fsencode(path)
        for name, kind, form in shapes:
            if form in content:
                found.append(f"{name} ({kind}) in {path} at byte {content.index(form)}")
            if form in file_name:
                found.append(f"{name} ({kind}) in the name {path}")
    return found


def files(places) -> list[pathlib.Path]:
    """Every regular file under the places; each may be a file itself."""
    roots = [pathlib.Path(place) for place in places]
    return [p for root in roots for p in ([root] if root.is_file() else sorted(root.rglob("*"))) if p.is_file()]
