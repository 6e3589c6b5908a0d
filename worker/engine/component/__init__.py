"""The component door: WIT components behind the same interface as Pack modules (design D9b)."""
