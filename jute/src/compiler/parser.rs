//! Schema text in, one [`Module`] out, or the first fault. Only syntax: which names exist and make
//! sense is for `check`.
//!
//! Every leaf is a [`token`], which skips what may stand before it and knows what it is called, so
//! a fault always says what was expected where.

use super::ast::{Field, Module, Name, Place, Record, Shape, Type};
use super::{Diagnostic, TextFile};
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::{cut, eof, map, opt, verify};
use nom::error::{ErrorKind, ParseError};
use nom::multi::many0;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

/// How deep vectors may nest. The bound keeps recursion shallow, here and in the records' decoders.
const VECTOR_DEPTH: usize = 2;

/// What is wanted where that depth is used up.
const INNERMOST_TYPE: &str = "a type other than `vector`, which nests at most 2 deep";

/// A parser's failure: what it wanted, and the text where it wanted that.
#[derive(Debug)]
struct Expected<'a> {
    what: &'static str,
    at: &'a str,
}

impl<'a> ParseError<&'a str> for Expected<'a> {
    fn from_error_kind(at: &'a str, _: ErrorKind) -> Self {
        Self { what: "something else", at }
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = IResult<&'a str, T, Expected<'a>>;

/// Parses one source.
pub(super) fn parse(source: &TextFile) -> Result<Module, Diagnostic> {
    match module(&source.text) {
        Ok((_, module)) => Ok(module),
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => {
            let message = format!("expected {}, found {}", fault.what, found(fault.at));
            Err(Diagnostic::new(source, Place::before(fault.at), message))
        }
        Err(nom::Err::Incomplete(_)) => unreachable!("only complete parsers are used"),
    }
}

fn module(input: &str) -> Parsed<'_, Module> {
    let (input, name) = statement(keyword("`module`", "module"), "a module name").parse(input)?;
    let (input, imports) =
        many0(statement(keyword("`import`", "import"), "a module name")).parse(input)?;
    let (input, records) = many0(record).parse(input)?;
    let wanted = if records.is_empty() {
        "`import`, `record` or the end of the file"
    } else {
        "`record` or the end of the file"
    };
    let (input, _) = token(wanted, eof).parse(input)?;
    Ok((input, Module { name, imports, records }))
}

/// A keyword, a name and a semicolon; once the keyword is there, the rest must be.
fn statement<'a>(
    first: impl Parser<&'a str, Output = &'a str, Error = Expected<'a>>,
    what: &'static str,
) -> impl Parser<&'a str, Output = Name, Error = Expected<'a>> {
    preceded(first, cut(terminated(name(what), symbol("`;`", ";"))))
}

fn record(input: &str) -> Parsed<'_, Record> {
    let (input, docs) = many0(doc_line).parse(input)?;
    let (input, _) = after_docs(&docs, keyword("`record`", "record")).parse(input)?;
    let (input, name) = cut(name("a record name")).parse(input)?;
    let (input, fields) = cut(fields).parse(input)?;
    Ok((input, Record { docs, name, fields }))
}

fn fields(input: &str) -> Parsed<'_, Vec<Field>> {
    let (input, _) = symbol("`{`", "{").parse(input)?;
    let (input, first) = field(input)?;
    let (input, rest) = many0(field).parse(input)?;
    let (input, _) = symbol("a field or `}`", "}").parse(input)?;
    Ok((input, std::iter::once(first).chain(rest).collect()))
}

fn field(input: &str) -> Parsed<'_, Field> {
    let (input, docs) = many0(doc_line).parse(input)?;
    let (input, ty) = after_docs(&docs, ty("a field", VECTOR_DEPTH)).parse(input)?;
    let (input, name) = cut(name("a field name")).parse(input)?;
    let (input, _) = cut(symbol("`;`", ";")).parse(input)?;
    Ok((input, Field { docs, ty, name }))
}

/// A doc comment commits to what it documents.
fn after_docs<'a, T>(
    docs: &[String],
    parser: impl Parser<&'a str, Output = T, Error = Expected<'a>>,
) -> impl Parser<&'a str, Output = T, Error = Expected<'a>> {
    let committed = !docs.is_empty();
    let mut parser = parser;
    move |input| match parser.parse(input) {
        Err(nom::Err::Error(fault)) if committed => Err(nom::Err::Failure(fault)),
        result => result,
    }
}

/// A type in which vectors may still nest `depth` deep.
fn ty<'a>(
    what: &'static str,
    depth: usize,
) -> impl Parser<&'a str, Output = Type, Error = Expected<'a>> {
    move |input: &'a str| {
        let at = space(input);
        let (input, word) = token(what, identifier).parse(input)?;
        let (input, shape) = match (word, depth.checked_sub(1)) {
            ("vector", Some(depth)) => cut(elements(depth)).parse(input)?,
            ("vector", None) => {
                return Err(nom::Err::Failure(Expected { what: INNERMOST_TYPE, at }));
            }
            (word, _) => {
                (input, Shape::builtin(word).unwrap_or_else(|| Shape::Record(word.to_owned())))
            }
        };
        let (input, mark) = opt(symbol("`?`", "?")).parse(input)?;
        Ok((input, Type { shape, nullable: mark.is_some(), place: Place::before(at) }))
    }
}

/// What stands behind `vector`.
fn elements<'a>(depth: usize) -> impl Parser<&'a str, Output = Shape, Error = Expected<'a>> {
    let element = move |input| ty("a type", depth).parse(input);
    map(delimited(symbol("`<`", "<"), element, symbol("`>`", ">")), |ty| {
        Shape::Vector(Box::new(ty))
    })
}

fn keyword<'a>(
    what: &'static str,
    word: &'static str,
) -> impl Parser<&'a str, Output = &'a str, Error = Expected<'a>> {
    token(what, verify(identifier, move |text: &str| text == word))
}

fn name<'a>(what: &'static str) -> impl Parser<&'a str, Output = Name, Error = Expected<'a>> {
    token(what, |input| {
        let (rest, text) = identifier(input)?;
        Ok((rest, Name { text: text.to_owned(), place: Place::before(input) }))
    })
}

fn symbol<'a>(
    what: &'static str,
    text: &'static str,
) -> impl Parser<&'a str, Output = &'a str, Error = Expected<'a>> {
    token(what, tag(text))
}

fn doc_line(input: &str) -> Parsed<'_, String> {
    let (rest, line) =
        token("a doc comment", preceded(tag("///"), take_while(is_no_line_end))).parse(input)?;
    Ok((rest, line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()))
}

/// Skips white space and comments, then parses; a failure is reported where the skipping ended.
fn token<'a, T>(
    what: &'static str,
    parser: impl Parser<&'a str, Output = T, Error = Expected<'a>>,
) -> impl Parser<&'a str, Output = T, Error = Expected<'a>> {
    let mut parser = parser;
    move |input| {
        let at = space(input);
        parser.parse(at).map_err(|_| nom::Err::Error(Expected { what, at }))
    }
}

fn identifier(input: &str) -> Parsed<'_, &str> {
    let is_start = |text: &str| !text.starts_with(|c: char| c.is_ascii_digit());
    verify(take_while1(is_word), is_start).parse(input)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The text behind white space and plain comments.
fn space(input: &str) -> &str {
    let mut rest = input.trim_start();
    while rest.starts_with("//") && !is_doc_comment(rest) {
        rest = rest.trim_start_matches(is_no_line_end).trim_start();
    }
    rest
}

/// As in Rust, four slashes are a plain comment again.
fn is_doc_comment(input: &str) -> bool {
    input.starts_with("///") && !input.starts_with("////")
}

fn is_no_line_end(c: char) -> bool {
    !matches!(c, '\r' | '\n')
}

/// What stands at the beginning of `rest`, in words; plain comments have been skipped.
fn found(rest: &str) -> String {
    let word = rest.split(|c| !is_word(c)).next().unwrap_or_default();
    match rest.chars().next() {
        None => "the end of the file".to_owned(),
        Some('/') if is_doc_comment(rest) => "a doc comment".to_owned(),
        Some(first) if word.is_empty() => format!("`{}`", first.escape_debug()),
        Some(_) => format!("`{word}`"),
    }
}
