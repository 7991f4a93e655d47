"""ONNX files: loading.py opens one, graph.py plans it, ops.py, layers.py and shapes.py hold its operators."""
