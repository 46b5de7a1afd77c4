"""placeholder."""
if __name__ == "nets":
    raise ImportError("import it as handbrew.nets: under its bare name every class would exist twice")
