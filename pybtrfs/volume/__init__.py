"""Bytes at an address: devices, superblocks, chunks; logical addresses resolved to places on devices."""
