//! What a command is, and how the words of a command line become a call of one.
//!
//! Options are read the way zkCli reads them: they may stand before, between and after operands,
//! single letters may be joined (`-sw`), a value may follow at once (`-v5`, `-v=5`), and `--` ends
//! them. Knows nothing of servers.

use super::Shell;
use super::failure::Failure;
use super::paths;
use std::fmt::Write as _;
use std::pin::Pin;
use std::str::FromStr;

/// A command of the shell.
#[derive(Debug)]
pub(in crate::cli) struct Command {
    /// What is typed to call it.
    pub(in crate::cli) name: &'static str,
    /// Its options and operands, as `help` shows them behind the name.
    pub(in crate::cli) usage: &'static str,
    /// What it does, in one sentence.
    pub(in crate::cli) summary: &'static str,
    /// One or more command lines, each on a line of its own.
    pub(in crate::cli) example: &'static str,
    /// Its options. `--json` and `--help` are every command's.
    pub(in crate::cli) flags: &'static [Flag],
    /// How many operands it needs at least, and takes at most.
    pub(in crate::cli) operands: (usize, usize),
    /// Where it comes from.
    pub(in crate::cli) origin: Origin,
    /// What Ctrl-C means to it.
    pub(in crate::cli) interrupt: Interrupt,
    /// Does it.
    pub(in crate::cli) run: for<'a> fn(&'a mut Shell, Call) -> Running<'a>,
}

/// A command at work.
pub(in crate::cli) type Running<'a> =
    Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// An option of a command.
#[derive(Debug)]
pub(in crate::cli) struct Flag {
    /// Its name without the dashes. A name of one letter has one dash; a longer one may have two.
    pub(in crate::cli) name: &'static str,
    /// What its value is, for options that have one.
    pub(in crate::cli) value: Option<&'static str>,
    /// What it does.
    pub(in crate::cli) help: &'static str,
}

/// Where a command comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Origin {
    /// From zkCli, which ignores operands that are too many: so does the shell, but says so.
    ZkCli,
    /// From Zabra, which refuses them.
    Zabra,
}

/// What Ctrl-C means to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Interrupt {
    /// It is given up, and has failed.
    Fails,
    /// It runs until then, and has done what it should.
    Ends,
}

/// A call of a command.
#[derive(Debug)]
pub(in crate::cli) struct Call {
    /// The command.
    pub(in crate::cli) command: &'static Command,
    operands: Vec<String>,
    flags: Vec<(&'static str, String)>,
    /// Whether the output is to be JSON.
    pub(in crate::cli) json: bool,
}

/// What the words of a command line ask for.
#[derive(Debug)]
pub(super) enum Asked {
    /// Run a command.
    Call(Call),
    /// Tell about it.
    Help(&'static Command),
}

impl Flag {
    /// An option without a value.
    pub(in crate::cli) const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, value: None, help }
    }

    /// An option with a value, which `help` calls by this name.
    pub(in crate::cli) const fn valued(
        name: &'static str,
        value: &'static str,
        help: &'static str,
    ) -> Self {
        Self { name, value: Some(value), help }
    }

    /// The option as it is typed.
    fn typed(&self) -> String {
        let dashes = if self.name.len() > 1 && !self.is_of_zkcli() { "--" } else { "-" };
        format!("{dashes}{}", self.name)
    }

    /// zkCli has some long options with one dash.
    fn is_of_zkcli(&self) -> bool {
        matches!(self.name, "file" | "members" | "add" | "remove")
    }
}

impl Command {
    /// The line that tells how to call it.
    pub(super) fn usage_line(&self) -> String {
        format!("{} {}", self.name, self.usage).trim_end().to_owned()
    }

    /// Its options as they are typed.
    pub(super) fn typed_flags(&self) -> Vec<String> {
        let common = ["--json", "--help"].map(str::to_owned);
        self.flags.iter().map(Flag::typed).chain(common).collect()
    }

    /// All there is to tell about it.
    pub(super) fn help(&self) -> String {
        let mut text = format!("{}\n\nusage: {}\n", self.summary, self.usage_line());
        for flag in self.flags {
            let typed = match flag.value {
                Some(value) => format!("{} {value}", flag.typed()),
                None => flag.typed(),
            };
            let _ = write!(text, "\n  {typed:<16} {}", flag.help);
        }
        let _ = write!(text, "\n  {:<16} print the result as JSON\n\nexample:", "--json");
        for line in self.example.lines() {
            let _ = write!(text, "\n  {line}");
        }
        text
    }

    /// The call that these words, after the command's name, ask for.
    pub(super) fn parse(&'static self, words: &[String]) -> Result<Asked, Failure> {
        let mut reader = Reader {
            command: self,
            words: words.iter(),
            call: Call { command: self, operands: Vec::new(), flags: Vec::new(), json: false },
        };
        while let Some(word) = reader.words.next() {
            match word.as_str() {
                "--" => reader.call.operands.extend(reader.words.by_ref().cloned()),
                "--json" => reader.call.json = true,
                "--help" => return Ok(Asked::Help(self)),
                option if self.reads_as_option(option) => reader.option(option)?,
                operand => reader.call.operands.push(operand.to_owned()),
            }
        }
        let call = reader.call;
        let (least, most) = self.operands;
        if call.operands.len() < least {
            return Err(Failure::Usage { command: self, reason: None });
        }
        if call.operands.len() > most && self.origin == Origin::Zabra {
            let reason = format!("{:?} is one word too many", call.operands[most]);
            return Err(Failure::Usage { command: self, reason: Some(reason) });
        }
        Ok(Asked::Call(call))
    }

    fn flag(&self, name: &str) -> Option<&'static Flag> {
        self.flags.iter().find(|flag| flag.name == name)
    }

    /// Whether a word is an option, known or not. A negative number is none.
    fn reads_as_option(&self, word: &str) -> bool {
        let Some(rest) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            return false;
        };
        let is_number = rest.bytes().all(|byte| byte.is_ascii_digit());
        !is_number || self.flag(&rest[..1]).is_some()
    }

    /// Whether a word after an option that needs a value is another option instead.
    fn is_option(&self, word: &str) -> bool {
        let name = word.trim_start_matches('-');
        let name = name.split_once('=').map_or(name, |(name, _)| name);
        let first = name.chars().next().map(String::from).unwrap_or_default();
        word.starts_with('-') && (self.flag(name).is_some() || self.flag(&first).is_some())
    }

    fn unknown(&'static self, word: &str) -> Failure {
        let mut reason = format!("unknown option {word}");
        let name = word.trim_start_matches('-');
        let near = nearest(name, self.flags.iter().map(|flag| flag.name));
        if let Some(near) = near.and_then(|near| self.flag(near)) {
            let _ = write!(reason, "; did you mean {}?", near.typed());
        } else if self.flags.is_empty() {
            reason.push_str("; it has none but --json and --help");
        } else {
            reason.push_str(" (if it is no option, put -- before it)");
        }
        Failure::Usage { command: self, reason: Some(reason) }
    }
}

/// Reads the words of one call.
struct Reader<'a> {
    command: &'static Command,
    words: std::slice::Iter<'a, String>,
    call: Call,
}

impl Reader<'_> {
    fn option(&mut self, word: &str) -> Result<(), Failure> {
        let name = word.strip_prefix("--").unwrap_or(&word[1..]);
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (name, None),
        };
        if let Some(flag) = self.command.flag(name) {
            match (flag.value, value) {
                (None, None) => self.set(flag, ""),
                (None, Some(_)) => {
                    return Err(self.usage(format!("{} takes no value", flag.typed())));
                }
                (Some(_), Some(value)) => self.set(flag, value),
                (Some(_), None) => self.set_with_next(flag)?,
            }
            return Ok(());
        }
        if word.starts_with("--") || value.is_some() {
            return Err(self.command.unknown(word));
        }
        self.joined(word)
    }

    /// Several options of one letter in one word; the last may have its value there too.
    fn joined(&mut self, word: &str) -> Result<(), Failure> {
        for (at, letter) in word.char_indices().skip(1) {
            let rest = &word[at + letter.len_utf8()..];
            match self.command.flag(letter.encode_utf8(&mut [0; 4])) {
                None => return Err(self.command.unknown(word)),
                Some(flag) if flag.value.is_none() => self.set(flag, ""),
                Some(flag) if rest.is_empty() => self.set_with_next(flag)?,
                Some(flag) => {
                    self.set(flag, rest);
                    break;
                }
            }
        }
        Ok(())
    }

    fn set_with_next(&mut self, flag: &'static Flag) -> Result<(), Failure> {
        let next = self.words.as_slice().first();
        match next.filter(|word| *word != "--" && !self.command.is_option(word)) {
            Some(value) => {
                self.words.next();
                self.set(flag, value);
                Ok(())
            }
            None => Err(self.usage(format!("{} needs a value", flag.typed()))),
        }
    }

    fn set(&mut self, flag: &'static Flag, value: &str) {
        self.call.flags.push((flag.name, value.to_owned()));
    }

    fn usage(&self, reason: String) -> Failure {
        Failure::Usage { command: self.command, reason: Some(reason) }
    }
}

impl Call {
    /// Whether an option without a value was given.
    pub(in crate::cli) fn has(&self, flag: &str) -> bool {
        self.value(flag).is_some()
    }

    /// The value of an option, the first if it was given more than once.
    pub(in crate::cli) fn value(&self, flag: &str) -> Option<&str> {
        self.flags.iter().find(|(name, _)| *name == flag).map(|(_, value)| value.as_str())
    }

    /// The value of an option that is a number, or anything else that can be read from text.
    pub(in crate::cli) fn parsed<T: FromStr>(&self, flag: &str) -> Result<Option<T>, Failure> {
        let Some(value) = self.value(flag) else { return Ok(None) };
        let wanted = self.command.flag(flag).and_then(|flag| flag.value).unwrap_or("value");
        let reason = || format!("-{flag} needs a {wanted}, and {value:?} is none");
        value.parse().map(Some).map_err(|_| self.usage(reason()))
    }

    /// The value of an option that is the version of a znode; `None` for any version, which is
    /// also what -1 means.
    pub(in crate::cli) fn version(&self, flag: &str) -> Result<Option<i32>, Failure> {
        self.parsed(flag)
    }

    /// An operand, counted from 0; empty if it was not given.
    pub(in crate::cli) fn operand(&self, index: usize) -> &str {
        self.operands.get(index).map_or("", String::as_str)
    }

    /// How many operands were given.
    pub(in crate::cli) fn operand_count(&self) -> usize {
        self.operands.len()
    }

    /// An operand that is the path of a znode.
    pub(in crate::cli) fn path(&self, index: usize) -> Result<&str, Failure> {
        let path = self.operand(index);
        paths::check(path).map_err(Failure::Refused)?;
        Ok(path)
    }

    /// The operands that zkCli ignores.
    pub(super) fn surplus(&self) -> &[String] {
        self.operands.get(self.command.operands.1..).unwrap_or_default()
    }

    /// A failure that says what is wrong with this call, and how it is done.
    pub(in crate::cli) fn usage(&self, reason: impl Into<String>) -> Failure {
        Failure::Usage { command: self.command, reason: Some(reason.into()) }
    }
}

/// The candidate that was most likely meant, if there is a likely one.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&word, &name.to_lowercase());
    let scored = candidates.map(|name| (distance(name), name));
    let (distance, name) = scored.min_by_key(|(distance, _)| *distance)?;
    let is_near = distance == 0 || (distance <= 2 && distance < name.len());
    is_near.then_some(name)
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
