"""What experiments do in plain PyTorch and Transformers: it is called to measure, and shown as the claim's code.

A file imports nothing of this product but other files of this folder.
"""
