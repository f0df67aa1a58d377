//! The options of `zabra shell` itself. They are zkCli's, with one dash, so they are read here.

use super::table;
use std::fmt::Write as _;
use std::time::Duration;

/// The words after `zabra shell`.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true, override_help = help())]
pub(in crate::cli) struct ShellArguments {
    /// Options, and the command to run if it is only one.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

pub(super) const USAGE: &str =
    "zabra shell [-server HOST:PORT[,HOST:PORT...][/CHROOT]] [OPTION...] [COMMAND...]";

const OPTIONS: [(&str, &str); 6] = [
    ("-server SERVERS", "HOST:PORT[,HOST:PORT...][/CHROOT] [default: localhost:2181]"),
    ("-timeout MS", "session timeout in milliseconds [default: 30000]"),
    ("-r", "a server without a quorum will do, for reading"),
    ("-waitforconnection", "one command: wait for a server for the whole session timeout"),
    ("--json", "print results as JSON, one value a line, and failures too"),
    ("--help", "show this; help COMMAND tells about a command"),
];

/// How long one command waits for a server, unless the session timeout is shorter.
const PATIENCE: Duration = Duration::from_secs(5);

/// The option with which `zkCli.sh` calls the shell: it prints zkCli's first lines too, ignores
/// options that it does not know, and has zkCli's exit code for a command that does not exist.
const AS_ZKCLI: &str = "-as-zkcli";

/// What the words ask for.
#[derive(Debug)]
pub(super) enum Wish {
    /// This text.
    Help(String),
    /// A shell.
    Run(Settings),
}

/// How the shell is to be.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The connect string.
    pub(super) servers: String,
    pub(super) timeout: Duration,
    /// How long one command waits for a connection.
    pub(super) patience: Duration,
    pub(super) read_only: bool,
    pub(super) json: bool,
    /// Whether to be zkCli to the letter, for scripts that call it by this name.
    pub(super) as_zkcli: bool,
    /// The command; none for a shell that reads lines.
    pub(super) words: Vec<String>,
}

impl ShellArguments {
    /// Reads the words.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn read(&self) -> Result<Wish, String> {
        let mut settings = Settings {
            servers: "localhost:2181".to_owned(),
            timeout: Duration::from_secs(30),
            patience: PATIENCE,
            read_only: false,
            json: false,
            as_zkcli: false,
            words: Vec::new(),
        };
        let mut waits = false;
        let mut words = self.words.iter();
        while let Some(word) = words.next() {
            let option = match word.strip_prefix("--") {
                Some(name) => format!("-{name}"),
                None => word.clone(),
            };
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match option.as_str() {
                "-server" => settings.servers.clone_from(value()?),
                "-timeout" => settings.timeout = timeout(value()?)?,
                "-r" => settings.read_only = true,
                "-waitforconnection" => waits = true,
                "-json" => settings.json = true,
                AS_ZKCLI => settings.as_zkcli = true,
                "-help" | "-h" => return Ok(Wish::Help(help())),
                "-client-configuration" => {
                    return Err("-client-configuration is for TLS and SASL, which the shell does \
                                not have yet"
                        .to_owned());
                }
                option if option.starts_with('-') && option.len() > 1 => {
                    // zkCli takes them for options of its Java machine.
                    if !settings.as_zkcli {
                        return Err(unknown(word));
                    }
                }
                _ => {
                    settings.words.push(word.clone());
                    settings.words.extend(words.by_ref().cloned());
                }
            }
        }
        settings.patience = if waits { settings.timeout } else { settings.timeout.min(PATIENCE) };
        Ok(Wish::Run(settings))
    }
}

fn timeout(value: &str) -> Result<Duration, String> {
    match value.parse::<i32>() {
        Ok(millis @ 1..) => Ok(Duration::from_millis(u64::from(millis.unsigned_abs()))),
        _ => Err(format!("-timeout needs milliseconds from 1 to {}, not {value:?}", i32::MAX)),
    }
}

fn unknown(word: &str) -> String {
    let names = OPTIONS.iter().filter_map(|(typed, _)| typed.split(' ').next());
    match super::command::nearest(word, names) {
        Some(near) => format!("unknown option {word}; did you mean {near}?"),
        None => format!("unknown option {word}"),
    }
}

/// The text of `zabra shell --help`.
fn help() -> String {
    let mut text = format!(
        "Look at and change znodes, at a prompt or with one command\n\nUsage: {USAGE}\n\nOptions:\n"
    );
    for (option, explained) in OPTIONS {
        let _ = writeln!(text, "  {option:<19} {explained}");
    }
    text.push_str("\nCommands:\n");
    for command in table::COMMANDS {
        let _ = writeln!(text, "  {:<21} {}", command.name, command.summary);
    }
    text.push_str(
        "\nExamples:
  zabra shell                                       # a prompt, at localhost:2181
  zabra shell -server a:2181,b:2181/app ls /        # one command, below /app
  zabra shell create -e /lock \"$(hostname)\"
  zabra shell --json get /config | jq -r .data
  zabra shell help create                           # all about one command

The exit code is 0 if the command did what it says, and 1 otherwise.",
    );
    text
}
