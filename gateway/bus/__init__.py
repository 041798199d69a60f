"""The bus between a gateway that runs apart and the engine: an MQTT broker that only passes on and keeps no samples."""
