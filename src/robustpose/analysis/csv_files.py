"""Tables as CSV files that a spreadsheet shows and does not obey."""

import polars as pl

_FORMULA = r"^[=+\-@\t\r]"


def csv_bytes(frame: pl.DataFrame, *, decimals: int | None = 3) -> bytes:
    """Return a table as CSV; a text that a spreadsheet would take for a formula begins with a quote.

    >>> csv_bytes(pl.DataFrame({"model": ["=cmd|' /C calc'!A0", "shg2"]})).decode().splitlines()
    ['model', "'=cmd|' /C calc'!A0", 'shg2']
    """
    texts = [pl.col(name) for name, kind in frame.schema.items() if kind == pl.String]
    safe = [
        pl.when(each.str.contains(_FORMULA)).then(pl.concat_str(pl.lit("'"), each)).otherwise(each).name.keep()
        for each in texts
    ]
    return frame.with_columns(safe).write_csv(float_precision=decimals).encode()
