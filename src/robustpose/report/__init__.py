"""What people read of results: html/ makes the pages, terminal/ prints progress, tables and JSON."""
