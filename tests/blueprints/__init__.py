"""The blueprints, each in a Home Assistant that is set up against the simulator."""
