//! JSON as ZooKeeper's AdminServer writes it, down to the blanks: scripts search it with `grep`.

use super::text::Mean;
use std::fmt::Write;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Whole(i64),
    /// A number by its text.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Json {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<i32> for Json {
    fn from(number: i32) -> Self {
        Self::Whole(number.into())
    }
}

impl From<u32> for Json {
    fn from(number: u32) -> Self {
        Self::Whole(number.into())
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Whole(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Json {
    fn from(number: usize) -> Self {
        Self::from(number as u64)
    }
}

impl From<Mean> for Json {
    fn from(mean: Mean) -> Self {
        Self::Number(mean.to_string())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<Self>> FromIterator<T> for Json {
    fn from_iter<I: IntoIterator<Item = T>>(list: I) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

impl Json {
    /// An object of these fields, in this order.
    pub(super) fn object<K: Into<String>>(fields: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Object(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// The text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.write(0, &mut text);
        text
    }

    fn write(&self, depth: usize, text: &mut String) {
        match self {
            Self::Null => text.push_str("null"),
            Self::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
            Self::Whole(number) => {
                let _ = write!(text, "{number}");
            }
            Self::Number(number) => text.push_str(number),
            Self::Text(value) => quote(value, text),
            Self::List(values) if values.is_empty() => text.push_str("[ ]"),
            Self::List(values) => {
                for (index, value) in values.iter().enumerate() {
                    text.push_str(if index == 0 { "[ " } else { ", " });
                    value.write(depth, text);
                }
                text.push_str(" ]");
            }
            Self::Object(fields) if fields.is_empty() => text.push_str("{ }"),
            Self::Object(fields) => {
                for (index, (key, value)) in fields.iter().enumerate() {
                    text.push_str(if index == 0 { "{" } else { "," });
                    new_line(depth + 1, text);
                    quote(key, text);
                    text.push_str(" : ");
                    value.write(depth + 1, text);
                }
                new_line(depth, text);
                text.push('}');
            }
        }
    }
}

fn new_line(depth: usize, text: &mut String) {
    text.push('\n');
    for _ in 0..depth {
        text.push_str("  ");
    }
}

fn quote(value: &str, text: &mut String) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(text, "\\u{:04X}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_that_of_zookeeper() {
        let connection = Json::object([("remote", Json::from("127.0.0.1:1")), ("n", 1.into())]);
        let json = Json::object([
            ("connections", Json::List(vec![connection])),
            ("expiry", Json::object([("320", [7_i64, 8].into_iter().collect())])),
            ("none", Json::List(Vec::new())),
            ("empty", Json::object::<String>([])),
            ("avg", Mean::new(1, 2).into()),
            ("error", Json::Null),
        ]);
        let expected = "{\n  \"connections\" : [ {\n    \"remote\" : \"127.0.0.1:1\",\n    \
                        \"n\" : 1\n  } ],\n  \"expiry\" : {\n    \"320\" : [ 7, 8 ]\n  },\n  \
                        \"none\" : [ ],\n  \"empty\" : { },\n  \"avg\" : 0.5,\n  \
                        \"error\" : null\n}";
        assert_eq!(json.text(), expected);
    }

    #[test]
    fn any_text_can_be_read_back() {
        let text = "a\"b\\c\n\r\t\u{1}\u{7f}ä😀";
        let read: Result<String, _> = serde_json::from_str(&Json::from(text).text());
        assert_eq!(read.ok().as_deref(), Some(text));
    }
}
