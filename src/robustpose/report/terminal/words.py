"""How numbers are written."""


def interval(value: float, low: float, high: float) -> str:
    """Write a number with its interval, one decimal each."""
    return f"{value:5.1f} [{low:.1f}, {high:.1f}]"
