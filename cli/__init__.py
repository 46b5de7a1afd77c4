"""placeholder."""
if __name__ == "cli":
    raise ImportError("import it as handbrew.cli: under its bare name every class would exist twice")
