//! Completion of commands, options and paths, and the colour of the prompt.

use super::command::Command;
use super::output::wants_colour;
use super::session::Current;
use super::table;
use crate::client::Client;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::borrow::Cow;
use std::time::Duration;
use tokio::runtime::Handle;

/// Completes what is typed.
#[derive(Debug)]
pub(super) struct Completion {
    runtime: Handle,
    client: Current,
    has_colour: bool,
}

/// A server that is slower than this is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

impl Completion {
    pub(super) fn new(runtime: Handle, client: Current) -> Self {
        Self { runtime, client, has_colour: wants_colour() }
    }

    /// The paths that begin so. A path that is complete goes on with `/` if it has children, so
    /// that another Tab lists them.
    fn paths(&self, begun: &str) -> Vec<String> {
        let Some(client) = self.client.lock().clone() else { return Vec::new() };
        let find = async {
            let (above, name) = begun.rsplit_once('/')?;
            let parent = if above.is_empty() { "/" } else { above };
            let mut names = client.children(parent).await.ok()?;
            names.retain(|child| child.starts_with(name));
            names.sort();
            let mut paths: Vec<_> = names.iter().map(|name| format!("{above}/{name}")).collect();
            if let [only] = &mut *paths
                && only == begun
                && has_children(&client, only).await
            {
                only.push('/');
            }
            Some(paths)
        };
        let found = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, find).await });
        found.ok().flatten().unwrap_or_default()
    }
}

async fn has_children(client: &Client, path: &str) -> bool {
    matches!(client.exists(path).await, Ok(Some(stat)) if stat.num_children > 0)
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let begun = Begun::new(&line[..position]);
        let candidates: Vec<String> = match begun.command {
            None | Some("help") => names(begun.word),
            Some(_) if begun.word.starts_with('/') => self.paths(begun.word),
            Some(name) if begun.word.starts_with('-') => flags(name, begun.word),
            Some(_) => Vec::new(),
        };
        let quote = begun.quote;
        Ok((begun.start, candidates.into_iter().map(|word| pair(word, quote)).collect()))
    }
}

/// What has been typed up to the cursor.
#[derive(Debug, PartialEq, Eq)]
struct Begun<'a> {
    /// The command, if the word is not the first.
    command: Option<&'a str>,
    /// The word at the cursor, without the quote before it.
    word: &'a str,
    /// The quote before it.
    quote: Option<char>,
    /// Where the word begins, with the quote.
    start: usize,
}

impl<'a> Begun<'a> {
    fn new(line: &'a str) -> Self {
        let command = line.split_whitespace().next();
        let mut open = None;
        let mut start = 0;
        for (at, character) in line.char_indices() {
            match open {
                Some(quote) if character == quote => open = None,
                None if character.is_whitespace() => start = at + character.len_utf8(),
                None if at == start && matches!(character, '"' | '\'') => open = Some(character),
                Some(_) | None => {}
            }
        }
        let word = &line[start..];
        let is_first = line[..start].trim().is_empty();
        let word = open.and_then(|quote| word.strip_prefix(quote)).unwrap_or(word);
        Self { command: command.filter(|_| !is_first), word, quote: open, start }
    }
}

/// A word to choose; a path that has blanks gets quotes.
fn pair(word: String, quote: Option<char>) -> Pair {
    let needs_quotes =
        word.starts_with('/') && word.contains(|character: char| character.is_whitespace());
    let replacement = match quote.or_else(|| needs_quotes.then_some('"')) {
        // The name may go on below.
        Some(quote) if word.ends_with('/') => format!("{quote}{word}"),
        Some(quote) => format!("{quote}{word}{quote}"),
        None => word.clone(),
    };
    Pair { display: word, replacement }
}

fn names(begun: &str) -> Vec<String> {
    let names = table::COMMANDS.iter().map(|command| command.name);
    let mut names: Vec<_> =
        names.filter(|name| name.starts_with(begun)).map(str::to_owned).collect();
    names.sort();
    if let [only] = &mut *names {
        only.push(' ');
    }
    names
}

fn flags(command: &str, begun: &str) -> Vec<String> {
    let flags = table::find(command).map(Command::typed_flags).unwrap_or_default();
    flags.into_iter().filter(|flag| flag.starts_with(begun)).collect()
}

impl Highlighter for Completion {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        if !self.has_colour {
            return prompt.into();
        }
        let colour = if prompt.contains("(CONNECTED") { 32 } else { 31 };
        format!("\x1b[{colour}m{prompt}\x1b[0m").into()
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Validator for Completion {}

impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(line: &str) -> (Option<&str>, &str, Option<char>, usize) {
        let Begun { command, word, quote, start } = Begun::new(line);
        (command, word, quote, start)
    }

    #[test]
    fn the_word_at_the_cursor_is_found() {
        assert_eq!(begun(""), (None, "", None, 0));
        assert_eq!(begun("  cre"), (None, "cre", None, 2));
        assert_eq!(begun("get /a"), (Some("get"), "/a", None, 4));
        assert_eq!(begun("get "), (Some("get"), "", None, 4));
        assert_eq!(begun("get \"/a b"), (Some("get"), "/a b", Some('"'), 4));
        assert_eq!(begun("set \"/a b\" "), (Some("set"), "", None, 11));
    }

    #[test]
    fn paths_with_blanks_get_quotes() {
        assert_eq!(pair("/a b".into(), None).replacement, "\"/a b\"");
        assert_eq!(pair("/a b/".into(), Some('\'')).replacement, "'/a b/");
        assert_eq!(pair("/a".into(), None).replacement, "/a");
    }
}
