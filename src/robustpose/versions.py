"""Versions in fingerprints: which version of a reader or an architecture makes of a file what is attacked."""


def versioned(fingerprint: str, version: int) -> str:
    """Name a version beside a fingerprint; the first adds nothing, for results are older than versions.

    >>> versioned("4d02", 1), versioned("4d02", 2)
    ('4d02', '4d02.2')
    """
    return fingerprint if version == 1 else f"{fingerprint}.{version}"
