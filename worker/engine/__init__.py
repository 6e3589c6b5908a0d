"""The engine: hosts one WebAssembly guest behind a door that speaks encoded values."""
