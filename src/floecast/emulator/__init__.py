"""Neural emulator of sea-ice dynamics: bounded, conservative, random and differentiable."""
