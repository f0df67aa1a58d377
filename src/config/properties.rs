//! The syntax of a `java.util.Properties` file: bytes in, keys and values with their lines out.
//!
//! Knows nothing of what the keys mean. A parser of our own, because complaints need the line
//! where a logical line starts, and because one malformed line must not hide the next one.
//!
//! - Lines end with LF, CR or CRLF. Blank lines, and lines whose first character is `#` or `!`,
//!   say nothing. An odd number of backslashes at the end joins the next line, without its
//!   leading blanks.
//! - The key ends at the first `=`, `:` or blank that no backslash protects.
//! - `\t`, `\n`, `\r`, `\f` and `\uXXXX` stand for one character; any other backslash is dropped.
//!   So a Windows path needs its backslashes doubled, as in ZooKeeper.
//! - Keys and values are trimmed afterwards, as ZooKeeper does.
//!
//! Java reads such a file as Latin-1. Here a file that is valid UTF-8 is read as that, which is
//! the same for ASCII; any other file is read as Latin-1.

/// A key and its value, trimmed and without escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    /// The line where it starts, counted from 1.
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) value: String,
}

/// A line with an escape that is none: `\u` without four hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadEscape {
    /// The line where the property starts, counted from 1.
    pub(super) line: usize,
}

/// The text of a file: UTF-8 where it is valid, else Latin-1. A byte order mark is dropped.
pub(super) fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// The properties of a text in their order, each or what is wrong with it.
pub(super) fn parse(text: &str) -> Vec<Result<Property, BadEscape>> {
    logical_lines(text).into_iter().map(|(line, content)| property(line, &content)).collect()
}

/// The text, with something else in the place of values whose keys are secret, be it in a comment.
pub(super) fn without_secrets(text: &str, is_secret: impl Fn(&str) -> bool) -> String {
    let natural = natural_lines(text);
    let count = natural.len();
    let mut shown = String::with_capacity(text.len());
    let (mut hiding, mut open) = (false, false);
    for (index, line) in natural.into_iter().enumerate() {
        if !open {
            let bare = line.trim_start_matches(|c| is_blank(c) || matches!(c, '#' | '!'));
            let key = unescape(split(bare).0);
            hiding = key.as_deref().is_none_or(|key| is_secret(trim(key)));
            let hidden = format!("{}=(hidden)", split(bare).0);
            shown.push_str(if hiding { &hidden } else { line });
        } else if !hiding {
            shown.push_str(line);
        }
        if index + 1 < count && !(open && hiding) {
            shown.push('\n');
        }
        open = ends_open(line);
    }
    shown
}

/// Lines joined where they are continued, without comments, blank lines and leading blanks.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let natural = natural_lines(text);
    let mut lines = natural.iter().zip(1..);
    let mut found = Vec::new();
    while let Some((first, number)) = lines.next() {
        let start = first.trim_start_matches(is_blank);
        if start.is_empty() || start.starts_with(['#', '!']) {
            continue;
        }
        let mut content = start.to_owned();
        while ends_open(&content) {
            content.pop();
            // A lone backslash continues nothing: the next line may be a comment.
            if content.is_empty() {
                break;
            }
            match lines.next() {
                Some((next, _)) => content.push_str(next.trim_start_matches(is_blank)),
                None => break,
            }
        }
        if !content.is_empty() {
            found.push((number, content));
        }
    }
    found
}

fn natural_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(['\n', '\r']) {
        lines.push(&rest[..end]);
        let terminator = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = &rest[end + terminator..];
    }
    lines.push(rest);
    lines
}

/// Whether the last backslash protects the end of the line rather than another backslash.
fn ends_open(line: &str) -> bool {
    line.chars().rev().take_while(|&c| c == '\\').count() % 2 == 1
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn property(line: usize, content: &str) -> Result<Property, BadEscape> {
    let (key, value) = split(content);
    let read = |raw| Some(trim(&unescape(raw)?).to_owned());
    match (read(key), read(value)) {
        (Some(key), Some(value)) => Ok(Property { line, key, value }),
        _ => Err(BadEscape { line }),
    }
}

/// Raw key and raw value: what separates them is blanks with at most one `=` or `:` among them.
fn split(content: &str) -> (&str, &str) {
    let mut protected = false;
    let end = content.find(|c| {
        let separates = !protected && (is_blank(c) || c == '=' || c == ':');
        protected = !protected && c == '\\';
        separates
    });
    let (key, rest) = content.split_at(end.unwrap_or(content.len()));
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

/// The text that a raw one stands for. UTF-16, because `\uXXXX` is a UTF-16 unit: two of them
/// may be one character.
fn unescape(raw: &str) -> Option<String> {
    let mut units = Vec::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        let unit = if c == '\\' { chars.next() } else { None };
        match unit {
            None if c == '\\' => {}
            None => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            Some('u') => {
                let digits = chars.as_str().get(..4)?;
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
                units.push(u16::from_str_radix(digits, 16).ok()?);
                chars.nth(3);
            }
            Some('t') => units.push(u16::from(b'\t')),
            Some('n') => units.push(u16::from(b'\n')),
            Some('r') => units.push(u16::from(b'\r')),
            Some('f') => units.push(0xc),
            Some(other) => units.extend_from_slice(other.encode_utf16(&mut [0; 2])),
        }
    }
    Some(String::from_utf16_lossy(&units))
}

/// Java's `String.trim`: everything up to the space counts as blank.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, String, String)> {
        let property = |found: Result<Property, BadEscape>| match found {
            Ok(Property { line, key, value }) => (line, key, value),
            Err(BadEscape { line }) => (line, "bad".into(), "escape".into()),
        };
        parse(text).into_iter().map(property).collect()
    }

    #[test]
    fn secrets_are_not_shown() {
        let text = "tickTime=2000\nssl.keyStore.pass\\\nword=a\n# a remark\n#my.password: b\r\n\
                    x.password = c\\\n  d\\\n  e\nz=\\\n  1\n";
        let expected = "tickTime=2000\nssl.keyStore.pass\\\nword=a\n# a remark\n\
                        my.password=(hidden)\nx.password=(hidden)\nz=\\\n  1\n";
        assert_eq!(without_secrets(text, |key| key.ends_with("password")), expected);
    }

    #[test]
    fn syntax() {
        type Row = (&'static str, &'static [(usize, &'static str, &'static str)]);
        let table: &[Row] = &[
            ("", &[]),
            ("\n \t\u{c}\n", &[]),
            ("# a=1\n  ! b=2\n", &[]),
            ("a=1", &[(1, "a", "1")]),
            ("a:1\nb 2\nc\t3", &[(1, "a", "1"), (2, "b", "2"), (3, "c", "3")]),
            ("  a  =  1  ", &[(1, "a", "1")]),
            ("a = = 1", &[(1, "a", "= 1")]),
            ("a==1", &[(1, "a", "=1")]),
            ("a :=1", &[(1, "a", "=1")]),
            ("a", &[(1, "a", "")]),
            ("a=", &[(1, "a", "")]),
            ("=1", &[(1, "", "1")]),
            ("a=1 # no comment", &[(1, "a", "1 # no comment")]),
            ("a=1\r\nb=2\rc=3\n", &[(1, "a", "1"), (2, "b", "2"), (3, "c", "3")]),
            ("a=1,\\\n   2,\\\r\n\t3\nb=4", &[(1, "a", "1,2,3"), (4, "b", "4")]),
            ("a=x\\\\\nb=y\\\\\\\nz", &[(1, "a", "x\\"), (2, "b", "y\\z")]),
            ("a=1\\\n# still a value", &[(1, "a", "1# still a value")]),
            ("a=1\\\n\nb=2", &[(1, "a", "1"), (3, "b", "2")]),
            ("a=1\\", &[(1, "a", "1")]),
            ("\\\n", &[]),
            ("\\\n#k=1", &[]),
            ("\\\n  a=1", &[(2, "a", "1")]),
            ("# c\\\na=1", &[(2, "a", "1")]),
            ("a\\=b\\:c\\ d=1", &[(1, "a=b:c d", "1")]),
            ("a=\\ttab\\n\\q\\\\", &[(1, "a", "tab\nq\\")]),
            ("a=C:\\data", &[(1, "a", "C:data")]),
            ("a=caf\\u00e9 \\u00E9", &[(1, "a", "café é")]),
            ("a=\\ud83d\\ude00", &[(1, "a", "😀")]),
            ("a=\\ud83d", &[(1, "a", "\u{fffd}")]),
            ("a=\\u12\nb=2", &[(1, "bad", "escape"), (2, "b", "2")]),
            ("\\u+123=1", &[(1, "bad", "escape")]),
            ("a=\\u12é4", &[(1, "bad", "escape")]),
            ("clé=données", &[(1, "clé", "données")]),
        ];
        for (text, expected) in table {
            let expected: Vec<_> =
                expected.iter().map(|(l, k, v)| (*l, (*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn bytes_are_utf_8_or_else_latin_1() {
        assert_eq!(decode(b"a=1"), "a=1");
        assert_eq!(decode("a=é".as_bytes()), "a=é");
        assert_eq!(decode(b"a=\xe9"), "a=é");
        assert_eq!(decode(b"\xef\xbb\xbfa=1"), "a=1");
    }
}
