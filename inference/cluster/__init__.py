"""The engine as a Ray Serve application: many replicas behind one address. Needs ``ray[serve]``."""
