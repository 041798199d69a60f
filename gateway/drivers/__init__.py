"""One driver per field protocol; nothing else here speaks to a device."""
