"""A repository of Debian packages in a folder, for the real apt."""

import hashlib
import subprocess


def package(folder, name, depends, files, architecture="armhf"):
    """Build a Debian package into the folder and return its paragraph for a list of packages."""
    tree = folder / name
    control = f"Package: {name}\nVersion: 6.1.9-1\nArchitecture: {architecture}\n"
    control += "Maintainer: x <x@example.org>\nDescription: x\n"
    control += f"Depends: {depends}\n" if depends else ""
    for path, data in {"DEBIAN/control": control.encode(), **files}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)
    deb = folder / f"{name}_6.1.9-1_{architecture}.deb"
    subprocess.run(["dpkg-deb", "-b", str(tree), str(deb)], check=True, capture_output=True)
    data = deb.read_bytes()
    return f"{control}Filename: ./{deb.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"


def serve(folder, listed, settings=""):
    """Write the list of packages, and return the file for APT_CONFIG that lets apt know this repository only."""
    (folder / "Packages").write_text(listed)
    sources, path = folder / "sources.list", folder / "apt.conf"
    sources.write_text(f"deb [trusted=yes] file:{folder} ./\n")
    path.write_text(f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "/dev/null";\n{settings}')
    return path
