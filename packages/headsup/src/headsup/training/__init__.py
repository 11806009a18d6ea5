"""Training recipes, the only modules of this package that need Lightning."""
