"""Studies: models under attacks on data, as cells in a store; killed and run again, a study continues."""
