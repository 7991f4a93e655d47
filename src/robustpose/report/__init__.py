"""Presents results: html/ writes the pages, terminal/ prints progress, tables and JSON."""
