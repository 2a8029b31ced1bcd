"""The spiking network over time: its layers, their order, chunks of steps, event-driven sums."""
