//! Whether a history of one register is linearizable: whether there is an order of its operations
//! that keeps to their times and explains every answer.
//!
//! The search is the one of Wing and Gong with Lowe's memory of what was tried: take any operation
//! that begins before the first answer of those that are left, and go back when none fits. What was
//! not answered may be taken at any time from its start on, or never.

use super::history::{Call, Operation, Outcome, Time, Value};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::mem;
use zabra::types::ErrorCode;

/// After so many steps a search is given up. Histories that are in order take a few steps for each
/// operation.
const MAX_STEPS: usize = 20_000_000;

/// The version and the value of a register that is there.
type State = Option<(i32, Value)>;

/// Stands for every value that nobody has seen.
const UNSEEN: Value = Value::MAX;

/// How a history stays away from what is possible, in words.
pub(super) fn check(history: &[&Operation]) -> Result<(), String> {
    Search::new(history).run()
}

struct Search<'a> {
    /// By start.
    operations: Vec<&'a Operation>,
    values: Values,
    state: State,
    /// Those with an answer that are not taken yet.
    left: BTreeSet<usize>,
    /// What was taken, in order.
    taken: Vec<Taken>,
    bits: Vec<u64>,
    tried: HashSet<(Box<[u64]>, State)>,
    /// The most that could ever be explained, and the state after it.
    best: (Vec<usize>, State),
}

/// An operation that was taken.
struct Taken {
    index: usize,
    before: State,
    /// What else could have been taken instead, the most promising last.
    others: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(history: &[&'a Operation]) -> Self {
        // A read without an answer says nothing.
        let said = |operation: &&&Operation| !operation.is_read() || operation.outcome.is_some();
        let mut operations: Vec<&Operation> = history.iter().filter(said).copied().collect();
        operations.sort_by_key(|operation| (operation.start, operation.end));
        let answered = |index: &usize| operations[*index].outcome.is_some();
        Self {
            values: Values::new(&operations),
            state: None,
            left: (0..operations.len()).filter(answered).collect(),
            taken: Vec::new(),
            bits: vec![0; operations.len().div_ceil(64)],
            tried: HashSet::new(),
            best: (Vec::new(), None),
            operations,
        }
    }

    fn run(mut self) -> Result<(), String> {
        let mut choices = self.choices();
        for _ in 0..MAX_STEPS {
            if self.left.is_empty() {
                return Ok(());
            }
            match choices.pop() {
                Some(index) => {
                    if self.take(index, &mut choices) {
                        choices = self.choices();
                    }
                }
                None => match self.taken.pop() {
                    Some(last) => choices = self.put_back(last),
                    None => return Err(self.explain()),
                },
            }
        }
        Err(format!("undecided after {MAX_STEPS} steps; {}", self.explain()))
    }

    /// What may take place next, the most promising last.
    fn choices(&self) -> Vec<usize> {
        // What begins after one of the answers that are left must wait for that one.
        let mut until = Time::MAX;
        let mut answered = Vec::new();
        for index in self.left.iter().copied() {
            let operation = self.operations[index];
            if operation.start > until {
                break;
            }
            until = until.min(operation.end);
            let (next, outcome) = step(self.state, operation.call);
            if operation.outcome == Some(outcome) {
                if next == self.state {
                    // It fits now and changes nothing: taking it is never wrong.
                    return vec![index];
                }
                answered.push(index);
            }
        }
        let mut choices = self.values.unanswered(self.state);
        choices.retain(|index| {
            let operation = self.operations[*index];
            let is_taken = self.bits[index / 64] >> (index % 64) & 1 == 1;
            !is_taken
                && operation.start <= until
                && step(self.state, operation.call).0 != self.state
        });
        choices.extend(answered);
        choices
    }

    /// Lets an operation be the next one to take place, unless that was tried before.
    fn take(&mut self, index: usize, others: &mut Vec<usize>) -> bool {
        let (next, _) = step(self.state, self.operations[index].call);
        let next = next.map(|(version, value)| (version, self.values.shown(value)));
        self.bits[index / 64] |= 1 << (index % 64);
        if !self.tried.insert((self.bits.clone().into_boxed_slice(), next)) {
            self.bits[index / 64] &= !(1 << (index % 64));
            return false;
        }
        self.taken.push(Taken { index, before: self.state, others: mem::take(others) });
        self.values.take(index);
        self.left.remove(&index);
        self.state = next;
        if self.taken.len() > self.best.0.len() {
            self.best = (self.taken.iter().map(|taken| taken.index).collect(), next);
        }
        true
    }

    /// Undoes the last [`take`](Self::take); gives what else there was to choose.
    fn put_back(&mut self, Taken { index, before, others }: Taken) -> Vec<usize> {
        self.state = before;
        self.bits[index / 64] &= !(1 << (index % 64));
        self.values.put_back(index);
        if self.operations[index].outcome.is_some() {
            self.left.insert(index);
        }
        others
    }

    /// What could not be explained after the longest order that was found.
    fn explain(&self) -> String {
        let (order, state) = &self.best;
        let taken: BTreeSet<usize> = order.iter().copied().collect();
        let left = || (0..self.operations.len()).filter(|index| !taken.contains(index));
        let answered = left().filter(|index| self.operations[*index].outcome.is_some());
        let first = answered.map(|index| self.operations[index].end).min().unwrap_or(Time::MAX);
        let waiting = left().filter(|index| self.operations[*index].start <= first);
        let text = |index: usize| format!("  {}\n", self.operations[index]);
        let last: String =
            order[order.len().saturating_sub(8)..].iter().map(|i| text(*i)).collect();
        let waiting: String = waiting.map(text).collect();
        format!(
            "not linearizable: {} of {} operations can be put into an order, which ends with\n\
             {last}so that the register holds {state:?}, and then none of these fits:\n{waiting}",
            order.len(),
            self.operations.len()
        )
    }
}

/// The state and the answer that an operation leads to (ZK: `PrepRequestProcessor`).
fn step(state: State, call: Call) -> (State, Outcome) {
    let refused = |code| (state, Outcome::Refused(code));
    match (call, state) {
        (Call::Create(value), None) => (Some((0, value)), Outcome::Created),
        (Call::Create(_), Some(_)) => refused(ErrorCode::NodeExists),
        (_, None) => refused(ErrorCode::NoNode),
        (Call::Set(_, Some(expected)) | Call::Delete(Some(expected)), Some((version, _)))
            if version != expected =>
        {
            refused(ErrorCode::BadVersion)
        }
        (Call::Set(value, _), Some((version, _))) => {
            (Some((version + 1, value)), Outcome::Written(version + 1))
        }
        (Call::Delete(_), Some(_)) => (None, Outcome::Deleted),
        (Call::Read(_), Some((version, value))) => (state, Outcome::Found { version, value }),
    }
}

/// What had no answer, sorted so that the search does not try what makes no difference.
struct Values {
    /// The versions at which each value was seen.
    seen: HashMap<Value, BTreeSet<i32>>,
    /// Those whose value was seen, by the version that it was seen at.
    by_version: HashMap<i32, Vec<usize>>,
    /// Those that nobody could tell from others of their kind, by start, and how many are taken.
    /// One is as good as another, so that only the first one that is left needs to be tried.
    alike: HashMap<Kind, (Vec<usize>, usize)>,
    /// The others.
    rest: Vec<usize>,
    /// Whether the register was never deleted: then a version is had once only.
    is_lasting: bool,
    /// The versions that somebody saw.
    versions: BTreeSet<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Create,
    Set,
    Delete,
}

impl Values {
    fn new(operations: &[&Operation]) -> Self {
        let mut seen: HashMap<Value, BTreeSet<i32>> = HashMap::new();
        for (version, value) in operations.iter().filter_map(|operation| operation.content()) {
            seen.entry(value).or_default().insert(version);
        }
        let (mut by_version, mut alike, mut rest) = (HashMap::new(), HashMap::new(), Vec::new());
        for (index, operation) in operations.iter().enumerate() {
            if operation.outcome.is_some() {
                continue;
            }
            if let Some(versions) = operation.value().and_then(|value| seen.get(&value)) {
                for version in versions {
                    by_version.entry(*version).or_insert_with(Vec::new).push(index);
                }
            } else if let Some(kind) = kind(operation) {
                alike.entry(kind).or_insert_with(|| (Vec::new(), 0)).0.push(index);
            } else {
                rest.push(index);
            }
        }
        let is_delete = |operation: &&Operation| {
            matches!(operation.call, Call::Delete(_))
                && !matches!(operation.outcome, Some(Outcome::Refused(_)))
        };
        let is_lasting = !operations.iter().any(is_delete);
        let versions = seen.values().flatten().copied().collect();
        Self { seen, by_version, alike, rest, is_lasting, versions }
    }

    /// What without answer might make sense now; some of it may be taken already.
    fn unanswered(&self, state: State) -> Vec<usize> {
        let next_version = state.map_or(0, |(version, _)| version + 1);
        let first_left = |(list, taken): &(Vec<usize>, usize)| list.get(*taken).copied();
        let mut found = Vec::new();
        if !self.is_lasting || !self.versions.contains(&next_version) {
            found.extend(&self.rest);
            found.extend(self.alike.values().filter_map(first_left));
        }
        found.extend(self.by_version.get(&next_version).into_iter().flatten());
        found
    }

    fn take(&mut self, index: usize) {
        for (list, taken) in self.alike.values_mut() {
            *taken += usize::from(list.get(*taken) == Some(&index));
        }
    }

    fn put_back(&mut self, index: usize) {
        for (list, taken) in self.alike.values_mut() {
            *taken -= usize::from(*taken > 0 && list[*taken - 1] == index);
        }
    }

    /// All values that nobody has seen are one.
    fn shown(&self, value: Value) -> Value {
        if self.seen.contains_key(&value) { value } else { UNSEEN }
    }
}

/// The kind of an operation without answer whose value nobody saw, if it has no condition.
const fn kind(operation: &Operation) -> Option<Kind> {
    match operation.call {
        Call::Create(_) => Some(Kind::Create),
        Call::Set(_, None) => Some(Kind::Set),
        Call::Delete(None) => Some(Kind::Delete),
        _ => None,
    }
}
