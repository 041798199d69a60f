"""Centrifugal pumps on variable-speed drives: hydraulics, motor and faults, on Modbus TCP."""
