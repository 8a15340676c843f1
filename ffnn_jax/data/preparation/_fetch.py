"""tensorflow-datasets' downloader in a separate process, which can be killed at any time.

Reads a job, one line of JSON, from standard input, and prints the outcome as JSON. It exits when
its standard input is closed, and so together with the process that started it.
"""

import json
import os
import sys
import threading
from typing import Any
from unittest import mock

_RETRIES = 1


def fetch(name: str, folder: str, files: list[dict[str, Any]]) -> dict[str, Any]:
    """Downloads files one after another; after a failure, no other download is pending.

    Each file is an ``OfficialFile`` as a dictionary; returns ``{"paths": {name: path}}``, or
    ``{"kind": exception name, "message": its message}``.
    """
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import downloader
    from tensorflow_datasets.core.download.checksums import UrlInfo
    from tensorflow_datasets.core.utils import Size

    infos = {f["url"]: UrlInfo(Size(f["size"]), f["sha256"], f["name"]) for f in files}
    try:
        with mock.patch.object(downloader, "MAX_RETRIES", _RETRIES):  # the default, 10, takes 205 s
            manager = tfds.download.DownloadManager(
                download_dir=folder, dataset_name=name, url_infos=infos
            )
            return {"paths": {f["name"]: str(manager.download(f["url"])) for f in files}}
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) else None  # the disk, not the network
        message = reason or " ".join(str(error).split())
        return {"kind": "OSError" if reason else type(error).__name__, "message": message}


if __name__ == "__main__":
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
    print(json.dumps(fetch(**job)), flush=True)
    os._exit(0)
