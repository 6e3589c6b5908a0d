"""Kits: how an actor in a language is begun and built. The templates are beside this file."""
