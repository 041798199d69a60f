"""Devices that publish JSON to an MQTT broker."""

from gateway.drivers.mqtt.driver import MqttDriver

__all__ = ["MqttDriver"]
