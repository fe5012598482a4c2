"""Writes a small file as torch.save does: a ZIP of stored entries."""

import sys
import zipfile

path, step = sys.argv[1], sys.argv[2]
with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
    archive.writestr("archive/data.pkl", b"step " + step.encode() * 50)
    archive.writestr("archive/data/0", bytes(range(256)) * 64)
    archive.writestr("archive/version", b"3\n")
