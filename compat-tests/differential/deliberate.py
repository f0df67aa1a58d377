"""Where Zabra differs from Apache ZooKeeper on purpose: the one list, with reasons."""

# Case name -> why its replies differ.
CASES: dict[str, str] = {
    "delete-container-by-a-client":
        "deleteContainer checks no ACL, so only the server itself may send it",
    "create-session-by-a-client":
        "a session cannot make another one, with a timeout nobody has bounded",
    "vector-count-negative":
        "a list of fewer than no elements is malformed; ZooKeeper takes it for an empty one",
    "access-pipelined-after-set-acl":
        "a setACL on its way counts for the requests behind it; ZooKeeper forgets it until applied",
    "quota-within-a-multi":
        "hard quotas count what is on its way; ZooKeeper lets a multi or a burst exceed them",
    "restart-twice-and-the-usage-of-quotas":
        "usage is the sum of the changes, on every server; ZooKeeper counts anew when it starts from"
        " a snapshot, whenever that was taken, and so its servers differ from each other",
    "path-emoji":
        "characters beyond the 16-bit range come back as they were sent, in valid UTF-8",
    "watch-replay-of-strange-paths":
        "characters beyond the 16-bit range come back as they were sent, in valid UTF-8",
}

# What the reference says -> what Zabra says, in the lines of random operations.
TEXTS: dict[str, str] = {
    # Characters beyond the 16-bit range, see above.
    "\\\\xed\\\\xa0\\\\xbd\\\\xed\\\\xb8\\\\x80": "\U0001f600",
}
