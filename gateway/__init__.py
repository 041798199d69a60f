"""Reads devices over MQTT, Modbus and BACnet and hands on columns of samples."""
