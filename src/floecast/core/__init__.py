"""Grid, variables, state, operators, model protocol: what every other part stands on."""
