"""How many developers so many engines carry: a discrete-event simulation."""
