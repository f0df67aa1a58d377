"""Where `zabra shell` differs from zkCli on purpose: the one list, with reasons.

An entry that no command needs any longer is an error, so the list cannot grow stale.
"""

import re
from typing import NamedTuple


class Difference(NamedTuple):
    """A reason for some commands to print something else, or to end with another code."""

    # The commands, as they stand in the scripts.
    commands: str
    # What may differ: "out", "err" or "exit".
    streams: tuple[str, ...]
    # What the shell prints instead, which must be found in those streams.
    instead: str
    reason: str

    def covers(self, command: str, stream: str, ours: str) -> bool:
        """Whether it allows this command to have this in the stream."""
        return (stream in self.streams and re.search(self.commands, command) is not None
                and re.search(self.instead, ours) is not None)


# Lines of zkCli that the shell does not print at all.
LEFT_OUT = [
    (r"^Connecting to ", "standard output has the result alone, for pipes and scripts"),
    (r"^Welcome to ZooKeeper!$|^JLine support is ", "a script needs no welcome"),
]

DIFFERENCES = [
    Difference(
        r"^(nosuchcommand|gett) ?", ("err", "exit"), r"^Command not found: \S+.*\nusage: .*\n?$|^1$",
        "the nearest command and its usage in two lines, and not the list of all; every failure "
        "has the exit code 1, where zkCli has 127 for this one"),
    Difference(
        r"^help$", ("out", "err", "exit"), r"List the children of a znode|^0$|^$",
        "help is a command"),
    Difference(
        r" -[qx]( |$)|^create -t$", ("err",), r"(unknown option|needs a value).*\nusage: ",
        "an option that is not there: its name, the nearest one and the usage, and not the name "
        "of a Java class"),
    Difference(
        r"^(set|setAcl|delete) -v x ", ("err",), r'-v needs a version, and "x" is none\nusage: ',
        "a number that is none: what is wrong, and not a stack trace"),
    Difference(
        r"^set @/none -5$", ("err", "exit"), r"^$|^0$",
        "a negative number is an operand, where no option is a digit"),
    Difference(
        r"^removewatches$", ("err",), r"\[-c\|-d\|-p\|-r\|-a\]",
        "the usage has all options that there are"),
    Difference(
        r"^redo x$", ("err",), r"it needs the number of a command\nusage: ",
        "a number that is none: what is wrong, and not a stack trace"),
    Difference(
        r"^set -b @/a !!!$", ("err",), "the data are not base64",
        "text that is not base64: what is wrong, and not a stack trace"),
    Difference(
        r"^(get|set|set @/a)$", ("err",), r"^(get|set) .*path.*\n?$",
        "a command that lacks operands prints its usage; `help COMMAND` explains the options"),
    Difference(
        r"^(setquota -n 1 -b 2 @/quota|setquota @/quota|delquota -n -b @/quota)$", ("err",),
        r"one of -n, -b, -N and -B is (needed|possible)\nusage: ",
        "options that exclude each other: what is wrong, and not the name of a Java class"),
    Difference(
        r"^(ls @|get @/a|stat @/a) watch$|^delete @/none 5$", ("err",),
        r"ignored: (watch|5) \(text that has blanks needs quotes\)",
        "operands of old versions are ignored alike, and called so"),
    Difference(
        r"^version$", ("out",), r"^ZooKeeper CLI version: 3\.9\.5-zabra-",
        "it is the version of another program"),
    Difference(
        r"^version x$", ("err",), r'"x" is one word too many\nusage: version',
        "what is wrong is said, besides the usage"),
    Difference(
        r"^addauth nosuch x$", ("err", "exit"), r"authentication failed|^1$",
        "zkCli ends before the server has answered"),
    Difference(
        r"^session closed$", ("out", "err", "exit"), r"^$|\nNot connected\n$|^1$",
        "a command without a session has failed: it says so on standard error, and has that code"),
    Difference(
        r"^(history|redo 5)$", ("out", "err"), r"^$|out of range",
        "one command has no history"),
    Difference(
        r"^reconfig -file /nowhere$", ("err",),
        r"Error processing /nowhere: No such file or directory",
        "the name of the file stands there once"),
]
