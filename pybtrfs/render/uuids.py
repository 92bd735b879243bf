"""UUIDs as text, without the standard library's uuid module: start-up counts."""


def uuid_text(uuid: bytes) -> str:
    """The canonical form of 16 bytes: 8-4-4-4-12 hexadecimal digits."""
    digits = uuid.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
