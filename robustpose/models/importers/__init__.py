"""Importers: nets that others trained, as differentiable modules. One file format a file."""
