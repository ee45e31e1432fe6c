"""Make the container of an object store that the environment names, as Azurite needs it; one that is there is kept."""

import base64
import hashlib
import hmac
import os
import sys
import time
import urllib.error
import urllib.request
from email.utils import formatdate

CREATED, IS_THERE = 201, 409
PATIENCE = 60.0
"""Seconds that the store may take to start."""


def make_container(store: str, account: str, key: str, name: str) -> int:
    """Ask for a container, signed as Azure wants it (learn.microsoft.com, Authorize with Shared Key)."""
    heads = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    lines = ["PUT", *[""] * 11, *(f"{name}:{value}" for name, value in heads.items())]
    text = "\n".join([*lines, f"/{account}/{account}/{name}", "restype:container"])
    sign = base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()
    heads |= {"Authorization": f"SharedKey {account}:{sign}", "Content-Length": "0"}
    url = f"{store}/{account}/{name}?restype=container"
    request = urllib.request.Request(url, method="PUT", headers=heads)
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


if __name__ == "__main__":
    names = ("AZURITE_BLOB_STORAGE_URL", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            sys.exit(make_container(*(os.environ[name] for name in names), sys.argv[1]) not in (CREATED, IS_THERE))
        except OSError as error:  # It does not listen yet.
            if time.monotonic() > deadline:
                sys.exit(f"error: {os.environ[names[0]]} does not answer: {error}")
            time.sleep(0.2)
