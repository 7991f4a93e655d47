"""Jobs: what one unit of work is, how it is computed, and where its result lies."""
