"""TensorFlow Lite files: loading.py opens one, graph.py plans it; its operators: ops.py, layers.py, shapes.py."""
