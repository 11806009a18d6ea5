"""Training recipes: the only folder of this package that imports Lightning."""
