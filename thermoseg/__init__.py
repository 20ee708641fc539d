"""ThermoSeg: live segmentation of thermal faces."""
