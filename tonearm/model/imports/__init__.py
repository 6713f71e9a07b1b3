"""Model files out of other people's ONNX networks: their graph, their metadata, their licence."""
