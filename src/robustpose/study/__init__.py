"""Studies: models under attacks on data, as jobs in a store. A killed study can be resumed."""
