"""What a flow may contain and what a run of it is: plain frozen values, no effects."""
