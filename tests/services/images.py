"""Writes the root of a small container image as a tar to standard output, from local files.

`busybox` has a shell and the usual small commands. `python` has these, bash, and the Python that
runs this script with its standard library. Run by docker.sh with the system's Python.
"""

import io
import os
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
LEFT_OUT = {
    "__pycache__",
    "dist-packages",
    "site-packages",
    "ensurepip",
    "idlelib",
    "test",
    "tests",
}
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"


def main(kind: str) -> None:
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", dereference=True) as image:
        add_busybox(image)
        if kind == "python":
            add_python(image)


def add_busybox(image: tarfile.TarFile) -> None:
    for folder, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777)):
        add_folder(image, folder, mode)
    add_text(image, "etc/passwd", PASSWD)
    add_text(image, "etc/group", GROUP)
    image.add(BUSYBOX, "bin/busybox")
    applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout
    for applet in sorted(set(applets.split()) - {"busybox"}):
        add_link(image, f"bin/{applet}", "busybox")


def add_python(image: tarfile.TarFile) -> None:
    interpreter = Path(os.path.realpath(sys.executable))
    library = Path(sysconfig.get_path("stdlib"))
    modules = [path for path in sorted(library.rglob("*")) if is_wanted(path.relative_to(library))]
    programs = [interpreter, Path("/bin/bash"), *(path for path in modules if path.suffix == ".so")]
    for path in [interpreter, *modules, *shared_libraries(programs)]:
        image.add(path, str(path).lstrip("/"), recursive=False)
    image.add("/bin/bash", "usr/bin/bash")
    add_link(image, "bin/bash", "/usr/bin/bash")
    for name in ("python", "python3"):
        add_link(image, f"usr/local/bin/{name}", str(interpreter))


def is_wanted(path: Path) -> bool:
    return LEFT_OUT.isdisjoint(path.parts) and not path.name.startswith("config-")


def shared_libraries(programs: Iterable[Path]) -> list[Path]:
    """Return what the dynamic linker loads for them, itself included, by the names it looks for."""
    found: set[Path] = set()
    for program in programs:
        listing = subprocess.run(
            ["ldd", program], check=True, capture_output=True, text=True
        ).stdout
        words = [word for word in listing.split() if word.startswith("/")]
        found.update(Path(word) for word in words)
    return sorted(found)


def add_folder(image: tarfile.TarFile, name: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    image.addfile(entry)


def add_link(image: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    image.addfile(entry)


def add_text(image: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(text)
    image.addfile(entry, io.BytesIO(text.encode()))


if __name__ == "__main__":
    main(sys.argv[1])
