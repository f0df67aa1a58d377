//! Records that contain themselves. Even a vector of itself is refused: only so is the depth of a
//! record's decoding bounded by the schema instead of by whoever sends the bytes.

use super::ast::{Module, Place};
use super::check::owners;
use std::collections::BTreeMap;

/// A record as the index of a module and of a record in it.
type Index = (usize, usize);

/// Which records each record holds in its fields.
type Contents = BTreeMap<Index, Vec<Index>>;

/// One record that contains itself, if there is one: its module's index, its place, and a message
/// that names the records through which it does.
pub(super) fn find(modules: &[Module]) -> Option<(usize, Place, String)> {
    let cycle = walk(&without_trees(contents(modules)))?;
    let name = |&(module, record): &Index| &modules[module].records[record].name;
    let (first, rest) = cycle.split_first()?;
    let mut message = format!("record `{}` contains itself", name(first).text);
    for (nth, part) in rest.iter().enumerate() {
        let link = if nth == 0 { " through" } else { " and" };
        message.extend([link, " `", &name(part).text, "`"]);
    }
    Some((first.0, name(first).place, message))
}

fn contents(modules: &[Module]) -> Contents {
    let mut index = BTreeMap::new();
    for (m, module) in modules.iter().enumerate() {
        for (r, record) in module.records.iter().enumerate() {
            index.insert((module.name.text.as_str(), record.name.text.as_str()), (m, r));
        }
    }
    let parts = |&(m, r): &Index| {
        let module: &Module = &modules[m];
        let names = module.records[r].fields.iter().filter_map(|field| field.ty.record());
        names
            .flat_map(|name| owners(modules, module, name).into_iter().map(move |o| (o, name)))
            .map(|(owner, name)| index[&(owner.name.text.as_str(), name)])
            .collect()
    };
    index.values().map(|record| (*record, parts(record))).collect()
}

/// Takes away every record that contains only records without cycles. What is left contains
/// something that is left.
fn without_trees(mut open: Contents) -> Contents {
    loop {
        let is_closed = |parts: &Vec<Index>| !parts.iter().any(|part| open.contains_key(part));
        let closed: Vec<Index> =
            open.iter().filter(|(_, parts)| is_closed(parts)).map(|(record, _)| *record).collect();
        if closed.is_empty() {
            return open;
        }
        for record in closed {
            open.remove(&record);
        }
    }
}

/// Follows the first record on to what it contains until that comes round.
fn walk(open: &Contents) -> Option<Vec<Index>> {
    let mut trail = vec![*open.keys().next()?];
    loop {
        let parts = &open[trail.last()?];
        let next = parts.iter().find(|part| open.contains_key(part))?;
        match trail.iter().position(|record| record == next) {
            Some(start) => return Some(trail.split_off(start)),
            None => trail.push(*next),
        }
    }
}
