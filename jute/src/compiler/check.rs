//! What syntax cannot tell: whether names exist, are unique and fit Rust, and whether every type
//! makes sense on the wire.

use super::ast::{Field, Module, Name, Place, Record, Type};
use super::{Diagnostic, Shape, TextFile, cycle, names};
use std::collections::BTreeSet;

/// Finds all faults of modules that were parsed from `sources`, in the same order.
pub(super) fn check(sources: &[TextFile], modules: &[Module]) -> Vec<Diagnostic> {
    assert_eq!(sources.len(), modules.len(), "every source has been parsed");
    let mut faults = Vec::new();
    for (source, module) in sources.iter().zip(modules) {
        let report = |place, message| faults.push(Diagnostic::new(source, place, message));
        Check { modules, module, report }.module(&source.name);
    }
    faults.extend(
        cycle::find(modules)
            .map(|(module, place, message)| Diagnostic::new(&sources[module], place, message)),
    );
    faults
}

/// The modules whose record a name may mean when it stands in `module`.
pub(super) fn owners<'m>(modules: &'m [Module], module: &Module, record: &str) -> Vec<&'m Module> {
    let visible = |other: &&Module| {
        other.name.text == module.name.text
            || module.imports.iter().any(|import| import.text == other.name.text)
    };
    modules.iter().filter(visible).filter(|other| other.record(record).is_some()).collect()
}

/// The checks of one module.
struct Check<'m, R> {
    modules: &'m [Module],
    module: &'m Module,
    report: R,
}

impl<R: FnMut(Place, String)> Check<'_, R> {
    fn module(mut self, file: &str) {
        let name = &self.module.name;
        if file.strip_suffix(".jute") != Some(&name.text) {
            self.fault(name, format!("module `{}` must stand in `{0}.jute`", name.text));
        }
        self.apply(name, names::module_fault);
        self.imports();
        let mut seen = BTreeSet::new();
        for record in &self.module.records {
            self.record(record);
            if !seen.insert(&record.name.text) {
                self.fault(&record.name, format!("duplicate record `{}`", record.name.text));
            }
        }
    }

    fn imports(&mut self) {
        let mut seen = BTreeSet::new();
        for import in &self.module.imports {
            let name = &import.text;
            if *name == self.module.name.text {
                self.fault(import, format!("module `{name}` imports itself"));
            } else if !self.modules.iter().any(|other| other.name.text == *name) {
                self.fault(import, format!("unknown module `{name}`"));
            } else if !seen.insert(name) {
                self.fault(import, format!("duplicate import `{name}`"));
            } else if !self.uses(name) {
                self.fault(import, format!("unused import `{name}`"));
            }
        }
    }

    /// Whether some field's type is a record of the module with this name.
    fn uses(&self, import: &str) -> bool {
        let owned = |record| {
            let owners = owners(self.modules, self.module, record);
            owners.iter().any(|owner| owner.name.text == import)
        };
        let mut fields = self.module.records.iter().flat_map(|record| &record.fields);
        fields.any(|field| field.ty.record().is_some_and(owned))
    }

    fn record(&mut self, record: &Record) {
        self.apply(&record.name, names::record_fault);
        if record.docs.is_empty() {
            self.fault(&record.name, format!("record `{}` has no doc comment", record.name.text));
        }
        let mut seen = BTreeSet::new();
        for field in &record.fields {
            self.field(field);
            if !seen.insert(&field.name.text) {
                self.fault(&field.name, format!("duplicate field `{}`", field.name.text));
            }
        }
    }

    fn field(&mut self, field: &Field) {
        self.apply(&field.name, names::field_fault);
        if field.docs.is_empty() {
            self.fault(&field.name, format!("field `{}` has no doc comment", field.name.text));
        }
        self.ty(&field.ty);
    }

    fn ty(&mut self, ty: &Type) {
        if ty.nullable && !ty.shape.can_be_null() {
            let name = ty.shape.name();
            let message =
                format!("`{name}` cannot be null, only `ustring`, `buffer` and `vector` can");
            (self.report)(ty.place, message);
        }
        match &ty.shape {
            Shape::Vector(element) => self.ty(element),
            Shape::Record(name) => self.record_type(ty.place, name),
            _ => {}
        }
    }

    fn record_type(&mut self, place: Place, name: &str) {
        let owners = owners(self.modules, self.module, name);
        let elsewhere = self.modules.iter().find(|other| other.record(name).is_some());
        let message = match (owners.as_slice(), elsewhere) {
            ([_], _) => return,
            ([first, second, ..], _) => format!(
                "ambiguous type `{name}`: both `{}` and `{}` have it",
                first.name.text, second.name.text
            ),
            ([], Some(other)) => {
                format!("unknown type `{name}`: module `{}` is not imported", other.name.text)
            }
            ([], None) => format!("unknown type `{name}`"),
        };
        (self.report)(place, message);
    }

    fn apply(&mut self, name: &Name, rule: fn(&str) -> Option<String>) {
        if let Some(message) = rule(&name.text) {
            self.fault(name, message);
        }
    }

    fn fault(&mut self, name: &Name, message: String) {
        (self.report)(name.place, message);
    }
}
