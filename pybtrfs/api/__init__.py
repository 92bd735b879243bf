"""The Python API: open an image, read its files, by fsspec as well."""
