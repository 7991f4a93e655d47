"""Jobs: the unit of stored work, its computation, and the store of results."""
