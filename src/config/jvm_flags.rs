//! `-D` properties out of the environment variables that are meant for a Java machine.
//!
//! Knows nothing of what the properties mean.

/// What a variable such as `JVMFLAGS` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct JvmFlags {
    /// `-Dkey=value`, in order; without `=`, the value is empty, as in Java.
    pub(super) properties: Vec<(String, String)>,
    /// Every other word up to its `=`: `-Xmx512m`. Without values, because they may be secret.
    pub(super) others: Vec<String>,
}

/// Reads the words of a variable.
pub(super) fn parse(text: &str) -> JvmFlags {
    let mut flags = JvmFlags::default();
    for word in words(text) {
        let (name, value) = word.split_once('=').unwrap_or((&word, ""));
        match name.strip_prefix("-D") {
            Some(key) if !key.is_empty() => flags.properties.push((key.into(), value.into())),
            _ => flags.others.push(name.into()),
        }
    }
    flags
}

/// Splits as a shell does: blanks separate words, quotes of either kind hold one together, a
/// backslash protects the character after it (inside single quotes it is only itself). A quote
/// that is never closed stands for itself: what a shell script passes on unquoted may contain
/// one, and must not stop the server.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match quote {
            Some(open) if c == open => quote = None,
            None if is_quote(c) && chars.as_str().contains(c) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            _ => {
                let escaped = if c == '\\' && quote != Some('\'') { chars.next() } else { None };
                word.get_or_insert_default().push(escaped.unwrap_or(c));
            }
        }
    }
    words.extend(word);
    words
}

const fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            ("  \t\n ", &[]),
            ("a  b\tc", &["a", "b", "c"]),
            ("-Da='b c' d", &["-Da=b c", "d"]),
            ("-Da=\"b 'c'\" d", &["-Da=b 'c'", "d"]),
            ("\"-Da=b c\"", &["-Da=b c"]),
            ("a\\ b \\\"c", &["a b", "\"c"]),
            ("'a\\b' \"a\\\"b\"", &["a\\b", "a\"b"]),
            ("'' a", &["", "a"]),
            ("it's fine", &["it's", "fine"]),
            ("a\\", &["a\\"]),
            ("a'b'\"c\"", &["abc"]),
        ];
        for (text, expected) in table {
            assert_eq!(words(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn properties_and_other_words() {
        let flags = parse("-Xmx512m -Dzookeeper.skipACL=yes -Da=b=c -Dflag -D x=secret");
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            flags.properties,
            [pair("zookeeper.skipACL", "yes"), pair("a", "b=c"), pair("flag", "")]
        );
        assert_eq!(flags.others, ["-Xmx512m", "-D", "x"]);
    }
}
