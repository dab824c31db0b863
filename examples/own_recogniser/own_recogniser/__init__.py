"""Parts for CapBench: a network, a source that reads arrays, and a callback."""
