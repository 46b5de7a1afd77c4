"""placeholder."""
if __name__ == "data":
    raise ImportError("import it as handbrew.data: under its bare name every class would exist twice")
