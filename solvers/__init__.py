"""placeholder."""
if __name__ == "solvers":
    raise ImportError("import it as handbrew.solvers: under its bare name every class would exist twice")
