"""Host interfaces: what a guest may import when its manifest grants it. One file per interface."""
