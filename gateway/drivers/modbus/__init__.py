"""Modbus: block reads planned around what the device allows, a breaker per unit, one client per line."""
