"""tensorflow-datasets' downloader in a process of its own, which can be ended at any moment.

Reads a job, a line of JSON, from standard input, and prints what came of it. It ends when its
standard input does, and so with the process that started it.
"""

import json
import os
import sys
import threading
from typing import Any
from unittest import mock

_RETRIES = 1


def fetch(name: str, folder: str, files: list[dict[str, Any]]) -> dict[str, Any]:
    """Downloads files one after the other; where one fails, no other is still waiting.

    Args:
        name: the data set.
        folder: where to.
        files: ``OfficialFile`` as dictionaries.

    Returns:
        ``{"paths": {name: path}}``, or ``{"kind": exception's name, "words": its message}``.
    """
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import downloader
    from tensorflow_datasets.core.download.checksums import UrlInfo
    from tensorflow_datasets.core.utils import Size

    infos = {f["url"]: UrlInfo(Size(f["size"]), f["sha256"], f["name"]) for f in files}
    try:
        with mock.patch.object(downloader, "MAX_RETRIES", _RETRIES):  # ten take 205 s
            manager = tfds.download.DownloadManager(
                download_dir=folder,
                dataset_name=name,
                url_infos=infos,
                force_checksums_validation=True,
            )
            return {"paths": {f["name"]: str(manager.download(f["url"])) for f in files}}
    except Exception as error:
        failed = error.strerror if isinstance(error, OSError) else None  # the disk, not the network
        words = failed or " ".join(str(error).split())
        return {"kind": "OSError" if failed else type(error).__name__, "words": words}


def _end_with_the_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    print(json.dumps(fetch(**job)), flush=True)
    os._exit(0)
