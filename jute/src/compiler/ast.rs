//! What a schema says: modules of records of typed fields. Knows nothing of Rust.

/// A place in a source, as the number of bytes from there to the source's end: what a parser
/// knows without looking back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

impl Place {
    /// The place where `rest` begins.
    pub(super) fn before(rest: &str) -> Self {
        Self(rest.len())
    }

    /// The line and the column in `source`, both from 1; columns count characters.
    pub(super) fn line_and_column(self, source: &str) -> (usize, usize) {
        assert!(self.0 <= source.len(), "a place lies in its own source");
        let before = &source[..source.len() - self.0];
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before[start..].chars().count() + 1)
    }
}

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name itself.
    pub text: String,
    pub(super) place: Place,
}

/// One schema file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The module's name, which is also the file's.
    pub name: Name,
    /// Modules whose records may be used.
    pub imports: Vec<Name>,
    /// The records in the file's order.
    pub records: Vec<Record>,
}

impl Module {
    /// The record with this name.
    pub fn record(&self, name: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.name.text == name)
    }
}

/// A record: fields, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Lines of its documentation.
    pub docs: Vec<String>,
    /// The record's name.
    pub name: Name,
    /// The fields in the order of the wire.
    pub fields: Vec<Field>,
}

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Lines of its documentation.
    pub docs: Vec<String>,
    /// The field's type.
    pub ty: Type,
    /// The field's name.
    pub name: Name,
}

/// The type of a field or of a vector's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// What it is when it is not null.
    pub shape: Shape,
    /// Whether it may be null.
    pub nullable: bool,
    pub(super) place: Place,
}

impl Type {
    /// The name of the record that this type is, or that its innermost elements are.
    pub fn record(&self) -> Option<&str> {
        match &self.shape {
            Shape::Record(name) => Some(name),
            Shape::Vector(element) => element.record(),
            _ => None,
        }
    }
}

/// A type without its nullability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// True or false.
    Boolean,
    /// A signed 8-bit number.
    Byte,
    /// A signed 32-bit number.
    Int,
    /// A signed 64-bit number.
    Long,
    /// Text.
    Ustring,
    /// Bytes.
    Buffer,
    /// Elements of one type.
    Vector(Box<Type>),
    /// The record with this name.
    Record(String),
}

impl Shape {
    /// The built-in type with this name; `vector`, which takes an argument, is not among them.
    pub(super) fn builtin(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Boolean,
            "byte" => Self::Byte,
            "int" => Self::Int,
            "long" => Self::Long,
            "ustring" => Self::Ustring,
            "buffer" => Self::Buffer,
            _ => return None,
        })
    }

    /// The type's name as the schema has it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Boolean => "boolean",
            Self::Byte => "byte",
            Self::Int => "int",
            Self::Long => "long",
            Self::Ustring => "ustring",
            Self::Buffer => "buffer",
            Self::Vector(_) => "vector",
            Self::Record(name) => name,
        }
    }

    /// Whether the wire can say null: only what begins with a length can.
    pub(super) fn can_be_null(&self) -> bool {
        matches!(self, Self::Ustring | Self::Buffer | Self::Vector(_))
    }
}
