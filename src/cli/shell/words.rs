//! How a line is cut into words (ZK: `ZooKeeperMain.MyCommandOptions.parseCommand`).

/// The words of a line. Blanks part words, quotes of either kind keep them together; a quote
/// inside a word, or one that is not closed, is a character like others.
pub(super) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = match quoted(rest) {
            Some(found) => found,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

/// The text in quotes that a line begins with, and what follows it.
fn quoted(line: &str) -> Option<(&str, &str)> {
    let quote = line.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    line[1..].split_once(quote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_part_words_and_quotes_keep_them() {
        for (line, words) in [
            ("", &[] as &[&str]),
            ("  ls   /a ", &["ls", "/a"]),
            ("set /a \"two words\" 'and \"more\"'", &["set", "/a", "two words", "and \"more\""]),
            ("set /a ''", &["set", "/a", ""]),
            ("set /a it's", &["set", "/a", "it's"]),
            ("set /a \"open", &["set", "/a", "\"open"]),
            ("set /a 'x'y", &["set", "/a", "x", "y"]),
        ] {
            assert_eq!(split(line), words, "{line}");
        }
    }
}
