"""TF.js graph models: loading.py opens one, files.py reads it, graph.py plans it, ops.py and others compute it."""
