"""Where Zabra differs from Apache ZooKeeper on purpose: the one list, with reasons."""

# Case name -> why its replies differ.
CASES: dict[str, str] = {}
