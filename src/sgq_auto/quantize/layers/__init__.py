"""The quantized twins of PyG's layers."""
