"""A fire detection system: fires, smoke, detectors, call points and their panel, on BACnet/IP."""
