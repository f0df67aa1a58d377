//! The schema compiler: schema text in, Rust text or diagnostics out. It reads and writes no
//! files, which is the program `jutec`'s part, and knows nothing of what the records mean.
//!
//! # The schema language
//!
//! A schema is a set of modules, one per file; the file of module `client` is `client.jute`.
//!
//! ```text
//! // A plain comment.
//! module disk;
//! import client;
//!
//! /// A doc comment: what the record is.
//! record ZnodeRecord {
//!     /// What the field is.
//!     buffer? data;
//!     /// A record of this module or of an imported one.
//!     vector<Acl>? acl;
//! }
//! ```
//!
//! ```text
//! file   = "module" name ";" import* record*
//! import = "import" name ";"
//! record = doc "record" name "{" field+ "}"
//! field  = doc type name ";"
//! type   = ( "boolean" | "byte" | "int" | "long" | "ustring" | "buffer"
//!          | "vector" "<" type ">" | name ) "?"?
//! doc    = ( "///" text )+
//! ```
//!
//! | schema | Rust |
//! |---|---|
//! | `boolean`, `byte`, `int`, `long` | `bool`, `i8`, `i32`, `i64` |
//! | `ustring`, `buffer` | `String`, `Bytes` |
//! | `vector<T>` | `Vec<T>` |
//! | `T?`, only of `ustring`, `buffer` and `vector` | `Option<T>` |
//! | a record's name | the struct |
//!
//! White space and comments from `//` to the end of the line may stand between any two words;
//! `///` is a doc comment, `////` a plain one. Doc comments are copied into the Rust text, and
//! every record and field has one.
//!
//! Modules have names of lower-case letters, records names in upper camel case, fields names in
//! snake case; no name is longer than 40 characters or reserved in Rust or in the schema language.
//! A name means a record of the same module or of an imported one, wherever it stands in the file;
//! modules may import each other, and nothing imports through another import.
//!
//! Two rules keep decoding safe. A record has at least one field, so every element of a vector
//! takes at least one byte, and the input's length bounds the number of elements. No record may
//! contain itself, not even through a vector, and vectors nest at most 2 deep, so the schema bounds
//! the depth of decoding.

mod ast;
mod check;
mod cycle;
mod diagnostic;
mod emit;
mod names;
mod parser;

pub use ast::{Field, Module, Name, Record, Shape, Type};
pub use diagnostic::Diagnostic;

/// A file's name, without folders, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// The name with its extension.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// Modules that have passed all checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    modules: Vec<Module>,
}

impl Schema {
    /// Parses and checks `sources` as one set of modules.
    ///
    /// # Errors
    /// Every source's first syntax fault, else every fault in what the sources mean; ordered by
    /// place, never empty.
    pub fn compile(sources: &[TextFile]) -> Result<Self, Vec<Diagnostic>> {
        let mut modules = Vec::new();
        let mut faults = Vec::new();
        for source in sources {
            match parser::parse(source) {
                Ok(module) => modules.push(module),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() {
            faults = check::check(sources, &modules);
        }
        faults.sort();
        if faults.is_empty() { Ok(Self { modules }) } else { Err(faults) }
    }

    /// The modules in the order of their sources.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// The Rust files: one per module, and `mod.rs` that declares them.
    pub fn to_rust(&self) -> Vec<TextFile> {
        let mut files: Vec<TextFile> = self
            .modules
            .iter()
            .map(|module| TextFile {
                name: format!("{}.rs", module.name.text),
                text: emit::module(&self.modules, module),
            })
            .collect();
        files.push(TextFile { name: "mod.rs".to_owned(), text: emit::root(&self.modules) });
        files
    }
}
