//! Tests of how words become calls.

use super::*;

const SAMPLE: Command = Command {
    name: "sample",
    usage: "[-s] [-w] [-v version] [-add servers] [--name glob] path [data]",
    summary: "A command for these tests",
    example: "sample /a",
    flags: &[
        Flag::new("s", "a switch"),
        Flag::new("w", "another switch"),
        Flag::valued("v", "version", "a number"),
        Flag::valued("add", "servers", "a long option with one dash"),
        Flag::valued("name", "glob", "a long option with two dashes"),
    ],
    operands: (1, 2),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |_, _| Box::pin(async { Ok(()) }),
};

const STRICT: Command = Command { name: "strict", origin: Origin::Zabra, ..SAMPLE };

fn parse(command: &'static Command, line: &str) -> Result<Asked, Failure> {
    let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
    command.parse(&words)
}

fn call(line: &str) -> Call {
    match parse(&SAMPLE, line) {
        Ok(Asked::Call(call)) => call,
        other => panic!("{line}: {other:?}"),
    }
}

fn fault(command: &'static Command, line: &str) -> String {
    match parse(command, line) {
        Err(failure) => failure.message().expect("a message"),
        Ok(asked) => panic!("{line}: {asked:?}"),
    }
}

#[test]
fn options_stand_anywhere_and_in_any_form() {
    for line in ["-s -v 5 /a", "/a -s -v 5", "-sv 5 /a", "-sv5 /a", "-v=5 -s /a", "/a -v5 -s"] {
        let call = call(line);
        assert_eq!((call.operand(0), call.has("s"), call.has("w")), ("/a", true, false), "{line}");
        assert_eq!(call.version("v").expect("a number"), Some(5), "{line}");
    }
    let call = call("--name *.x -add a,b /a");
    assert_eq!((call.value("name"), call.value("add")), (Some("*.x"), Some("a,b")));
}

#[test]
fn what_looks_like_an_option_may_be_something_else() {
    assert_eq!(call("-v -1 /a").version("v").expect("a number"), Some(-1));
    assert_eq!(call("/a -5").operand(1), "-5");
    assert_eq!(call("/a -").operand(1), "-");
    let after_dashes = call("-s -- /a -x");
    assert_eq!((after_dashes.operand(0), after_dashes.operand(1)), ("/a", "-x"));
}

#[test]
fn options_of_every_command() {
    assert!(call("/a --json").json);
    assert!(!call("-- /a --json").json);
    assert!(matches!(parse(&SAMPLE, "--help"), Ok(Asked::Help(_))));
}

#[test]
fn what_is_wrong_is_said_with_the_usage() {
    let usage = SAMPLE.usage_line();
    assert_eq!(fault(&SAMPLE, "-s"), usage);
    for (line, reason) in [
        ("-x /a", "unknown option -x (if it is no option, put -- before it)"),
        ("-S /a", "unknown option -S; did you mean -s?"),
        ("--nmae x /a", "unknown option --nmae; did you mean --name?"),
        ("/a -v", "-v needs a value"),
        ("-v -s /a", "-v needs a value"),
        ("-s=1 /a", "-s takes no value"),
    ] {
        assert_eq!(fault(&SAMPLE, line), format!("sample: {reason}\nusage: {usage}"), "{line}");
    }
    let number = call("-v x /a").version("v").expect_err("no number");
    let reason = "sample: -v needs a version, and \"x\" is none\nusage: ";
    assert!(number.message().is_some_and(|message| message.starts_with(reason)));
}

#[test]
fn operands_too_many_are_ignored_as_in_zkcli_or_refused() {
    assert_eq!(call("/a b c d").surplus(), ["c", "d"]);
    assert_eq!(call("/a b").surplus(), [""; 0]);
    let usage = STRICT.usage_line();
    let refused = format!("strict: \"c\" is one word too many\nusage: {usage}");
    assert_eq!(fault(&STRICT, "/a b c"), refused);
}
