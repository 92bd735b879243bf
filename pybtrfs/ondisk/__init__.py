"""What bytes mean: every structure of the format declared once. Nothing here reads or writes a device."""
