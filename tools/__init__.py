"""What makes the assets, the weights and the pages of the package."""
