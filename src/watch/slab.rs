//! Records addressed by a small number that stays theirs until they are removed.

use std::ops::{Index, IndexMut};

/// A growing list whose gaps are filled again. Holds fewer than 2^32 records.
#[derive(Debug)]
pub(super) struct Slab<T> {
    records: Vec<Option<T>>,
    gaps: Vec<u32>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { records: Vec::new(), gaps: Vec::new() }
    }

    /// Adds a record and says what number it got.
    pub(super) fn insert(&mut self, record: T) -> u32 {
        if let Some(gap) = self.gaps.pop() {
            self.records[gap as usize] = Some(record);
            return gap;
        }
        let number = u32::try_from(self.records.len()).expect("fewer than 2^32 records");
        self.records.push(Some(record));
        number
    }

    /// Takes a record out. Memory goes back once all records are gone.
    pub(super) fn remove(&mut self, number: u32) -> T {
        let record = self.records[number as usize].take().expect("a record in use");
        self.gaps.push(number);
        if self.gaps.len() == self.records.len() {
            *self = Self::new();
        }
        record
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, number: u32) -> &T {
        self.records[number as usize].as_ref().expect("a record in use")
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        self.records[number as usize].as_mut().expect("a record in use")
    }
}
