"""Scripts that make the assets, weights and documentation pages of the package."""
