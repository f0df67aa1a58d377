//! Which names a schema may give: those that are good Rust as they stand.

/// Longest name, so that generated lines stay within their width.
const NAME_MAX: usize = 40;

/// Words of the schema language, and of Rust since 2024; neither can name a field or a module.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "boolean", "box", "break", "buffer", "byte",
    "const", "continue", "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn",
    "for", "gen", "if", "impl", "import", "in", "int", "let", "long", "loop", "macro", "match",
    "mod", "module", "move", "mut", "override", "priv", "pub", "record", "ref", "return", "self",
    "static", "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized",
    "use", "ustring", "vector", "virtual", "where", "while", "yield",
];

/// Names that generated code takes from elsewhere.
const TAKEN_TYPES: &[&str] = &[
    "BufMut",
    "Bytes",
    "Decode",
    "DecodeError",
    "Decoder",
    "Encode",
    "Option",
    "Result",
    "Self",
    "String",
    "Vec",
];

/// What is wrong with a module's name.
pub(super) fn module_fault(name: &str) -> Option<String> {
    if !name.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Some(format!("module name `{name}` must be lower-case letters only"));
    }
    common_fault(name, KEYWORDS)
}

/// What is wrong with a record's name.
pub(super) fn record_fault(name: &str) -> Option<String> {
    if !name.starts_with(|c: char| c.is_ascii_uppercase()) || name.contains('_') {
        return Some(format!("record name `{name}` must be in upper camel case"));
    }
    common_fault(name, TAKEN_TYPES)
}

/// What is wrong with a field's name.
pub(super) fn field_fault(name: &str) -> Option<String> {
    let is_snake = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    if !name.bytes().all(is_snake) || name.starts_with('_') || name.ends_with('_') {
        return Some(format!("field name `{name}` must be in snake case"));
    }
    common_fault(name, KEYWORDS)
}

fn common_fault(name: &str, reserved: &[&str]) -> Option<String> {
    if reserved.contains(&name) {
        return Some(format!("`{name}` is reserved"));
    }
    (name.len() > NAME_MAX).then(|| format!("`{name}` is longer than {NAME_MAX} characters"))
}
