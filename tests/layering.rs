//! Who may import whom. The table below is the rule; the one in `src/lib.rs` shows it to readers.

mod source_support;

use source_support::{Blank, Source, sources};

/// A module and what it may know.
struct Rule {
    layer: char,
    module: &'static str,
    /// Modules of this crate.
    uses: &'static [&'static str],
    /// Modules of jute's records.
    records: &'static [&'static str],
    /// What it must never know of, for readers.
    never: &'static str,
}

const fn rule(
    layer: char,
    module: &'static str,
    uses: &'static [&'static str],
    records: &'static [&'static str],
    never: &'static str,
) -> Rule {
    Rule { layer, module, uses, records, never }
}

#[rustfmt::skip]
const RULES: [Rule; 15] = [
    rule('1', "types", &[], &["client"], "frames, the tree"),
    rule('1', "proto", &["types"], &["client"], "the tree, `zab`, sockets"),
    rule('2', "tree", &["types"], &["disk", "txn"], "requests, sessions, watches, clocks"),
    rule('2', "session", &["types"], &[], "connections, clocks"),
    rule('2', "watch", &["proto", "types"], &[], "the tree, sockets"),
    rule('2', "auth", &["types"], &["client"], "the tree, connections"),
    rule('2', "zab", &["types"], &["quorum"], "what it broadcasts: the tree, sessions, the store"),
    rule('3', "prep", &["auth", "proto", "session", "tree", "types"],
        &["client", "disk", "txn"], "`zab`, `watch`"),
    rule('3', "store", &["types"], &["disk"], "what a transaction does; `zab`, clients"),
    rule('4', "replica",
        &["auth", "prep", "proto", "session", "tree", "types", "watch", "zab"],
        &["client", "disk", "quorum"], "the store, sockets, clocks, threads"),
    rule('5', "server",
        &["admin", "auth", "config", "prep", "proto", "replica", "session", "store", "tree",
            "types", "watch", "zab"],
        &["client", "disk", "quorum"], "how transactions are made and decided"),
    rule('5', "admin",
        &["config", "proto", "server", "session", "store", "tree", "types", "watch"],
        &["disk", "txn"], "how transactions are made and decided, sockets of clients"),
    rule('5', "client", &["proto", "types"], &["client"], "every module of the server"),
    rule('–', "config", &[], &[], "every other module"),
    rule('6', "cli", &["admin", "client", "config", "proto", "server", "types"], &["client"],
        "`replica`, `tree`, `zab`"),
];

fn rule_of(module: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.module == module)
}

/// Source files of the modules; `lib.rs` and `main.rs` only tie them together.
fn modules() -> Vec<(&'static Rule, Source)> {
    let sources = sources(&["src"]).into_iter();
    let inner = sources.filter(|source| !matches!(&*source.path, "src/lib.rs" | "src/main.rs"));
    let of = |source: Source| {
        let module = source.path.split('/').nth(1).unwrap_or_default().trim_end_matches(".rs");
        let rule = rule_of(module);
        (rule.unwrap_or_else(|| panic!("{module} is missing in the table of this test")), source)
    };
    inner.map(of).collect()
}

#[test]
fn modules_import_what_they_may() {
    let mut violations = Vec::new();
    let modules = modules();
    for (rule, source) in &modules {
        let text = source.blanked(Blank::StringsAndComments);
        for (number, used) in paths_below(&text, "crate::") {
            if used != rule.module && rule_of(used).is_some() && !rule.uses.contains(&used) {
                violations.push(format!("{}:{number}: crate::{used}", source.path));
            }
        }
        for (number, used) in paths_below(&text, "jute::") {
            let is_module = used.starts_with(char::is_lowercase) && !used.starts_with("put_");
            if is_module && !rule.records.contains(&used) {
                violations.push(format!("{}:{number}: jute::{used}", source.path));
            }
        }
        let depth = source.path.matches('/').count() - usize::from(is_root(source));
        for (number, used) in paths_below(&text, &"super::".repeat(depth.max(1))) {
            if used != rule.module
                && rule_of(used).is_some()
                && !exists_beside(&modules, source, used)
            {
                violations.push(format!("{}:{number}: super::{used}; say crate::", source.path));
            }
        }
    }
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

fn is_root(source: &Source) -> bool {
    source.path.ends_with("/mod.rs")
}

/// Whether the folder of a file has a module of its own of this name.
fn exists_beside(modules: &[(&Rule, Source)], source: &Source, name: &str) -> bool {
    let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let own = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")];
    modules.iter().any(|(_, other)| own.contains(&other.path))
}

#[test]
fn the_crate_shows_the_same_table() {
    let lib = sources(&["src"]).into_iter().find(|source| source.path == "src/lib.rs");
    let lib = lib.expect("src/lib.rs").text;
    let rows = lib.lines().filter_map(|line| line.strip_prefix("//! | "));
    let shown: Vec<_> = rows.filter(|row| !row.starts_with("layer")).collect();
    let expected: Vec<_> = RULES.iter().map(row).collect();
    assert_eq!(shown, expected, "\n\nsrc/lib.rs should show:\n\n{}\n", {
        expected.iter().map(|row| format!("//! | {row}")).collect::<Vec<_>>().join("\n")
    });
}

/// A rule as a row of the table in `src/lib.rs`.
fn row(rule: &Rule) -> String {
    let quoted = |names: &[&str], prefix: &str| {
        names.iter().map(|name| format!("`{prefix}{name}`")).collect::<Vec<_>>()
    };
    let uses = [quoted(rule.records, "jute::"), quoted(rule.uses, "")].concat();
    let uses = if uses.is_empty() { "std".to_owned() } else { uses.join(", ") };
    format!("{} | [`{}`] | {uses} | {} |", rule.layer, rule.module, rule.never)
}

/// The names that follow `prefix`, also those in braces, with the number of their line.
fn paths_below<'a>(text: &'a str, prefix: &str) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(prefix) {
        // `super::super::x` is found once, by its whole prefix; `my_crate::x` is something else.
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let number = text[..at].matches('\n').count() + 1;
        let rest = &text[at + prefix.len()..];
        let names = rest.strip_prefix('{').map_or_else(|| vec![rest], in_braces);
        found.extend(names.into_iter().map(|name| (number, identifier(name))));
    }
    found
}

/// What stands between the commas of a group whose `{` has been read.
fn in_braces(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0_usize, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(text[start..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[test]
fn groups_are_read_too() {
    let text =
        "use crate::{\n    tree::{Tree, Txn},\n    zab\n};\nuse crate::auth;\nother_crate::x";
    let found = paths_below(text, "crate::");
    assert_eq!(found, [(1, "tree"), (1, "zab"), (5, "auth")]);
}
