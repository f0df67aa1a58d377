//! Settings of all sources in one table, the later source over the earlier one, and the typed
//! reading of their values.
//!
//! Knows how a value is read, not what it is for. What is wrong with a value becomes a problem and
//! the default takes its place, so that one run finds everything there is to mend.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::{Origin, Problem};
use super::keys::{self, Fate, Kind};

/// A key and its value as somebody wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The key as it was written, with or without `zookeeper.`.
    pub(super) written: String,
    pub(super) value: String,
    pub(super) origin: Origin,
}

impl Setting {
    pub(super) fn new(origin: Origin, written: &str, value: &str) -> Self {
        Self { written: written.to_owned(), value: value.to_owned(), origin }
    }

    /// The key without `zookeeper.`.
    pub(super) fn key(&self) -> &str {
        self.written.strip_prefix("zookeeper.").unwrap_or(&self.written)
    }

    /// A problem with the value.
    pub(super) fn refuse(&self, reason: impl Into<String>) -> Problem {
        let shown = !keys::is_secret(self.key());
        Problem {
            origin: self.origin.clone(),
            key: Some(self.written.clone()),
            value: shown.then(|| self.value.clone()),
            reason: reason.into(),
        }
    }

    /// A problem with the key, whatever its value.
    pub(super) fn refuse_key(&self, reason: impl Into<String>) -> Problem {
        Problem { value: None, ..self.refuse(reason) }
    }

    /// The text of a note about the value.
    fn remark(&self, text: &str) -> String {
        if keys::is_secret(self.key()) {
            format!("{}: {} {text}", self.origin, self.written)
        } else {
            format!("{}: {} = \"{}\" {text}", self.origin, self.written, self.value)
        }
    }
}

/// A whole number that a key allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    /// What is counted: "milliseconds"; empty for a bare number.
    pub(super) unit: &'static str,
    pub(super) min: i64,
    pub(super) max: i64,
}

impl Whole {
    pub(super) const fn from(min: i64, unit: &'static str) -> Self {
        Self { unit, min, max: i32::MAX as i64 }
    }

    pub(super) const PORT: Self = Self { unit: "", min: 0, max: 65_535 };

    /// What is allowed. The upper limit of an ordinary number goes without saying, unless it is
    /// what the value breaks.
    fn allowed(&self, value: Option<i64>) -> String {
        let of = if self.unit.is_empty() { "" } else { " of " };
        let whole = format!("must be a whole number{of}{}", self.unit);
        let ordinary = self.max == i64::from(i32::MAX);
        if ordinary && value.is_none_or(|value| value <= self.max) {
            format!("{whole}, at least {}", self.min)
        } else {
            format!("{whole}, from {} to {}", self.min, self.max)
        }
    }

    fn check(&self, value: Option<i64>) -> Result<i64, String> {
        value
            .filter(|value| (self.min..=self.max).contains(value))
            .ok_or_else(|| self.allowed(value))
    }
}

/// All settings, and what was noticed while they were collected and read.
#[derive(Debug, Default)]
pub(super) struct Settings {
    by_key: BTreeMap<String, Setting>,
    pub(super) problems: Vec<Problem>,
    notes: Vec<(Origin, String)>,
    warnings: Vec<(Origin, String)>,
    #[cfg(test)]
    pub(super) read: std::collections::BTreeSet<String>,
}

impl Settings {
    /// Puts a setting over whatever was set before.
    pub(super) fn put(&mut self, setting: Setting) {
        let key = setting.key().to_owned();
        if let Some(earlier) = self.by_key.get(&key) {
            self.compare(&earlier.clone(), &setting);
        }
        self.by_key.insert(key, setting);
    }

    /// Says what a later setting does to an earlier one, where that can surprise.
    fn compare(&mut self, earlier: &Setting, later: &Setting) {
        match (&earlier.origin, &later.origin) {
            (Origin::File(file, Some(line)), Origin::File(other, _)) if file == other => {
                if later.key().starts_with("server.") {
                    self.problems.push(later.refuse(format!("is also given at line {line}")));
                } else {
                    self.note(
                        later,
                        &format!("counts; the earlier value, at line {line}, does not"),
                    );
                }
            }
            (Origin::File(..), Origin::Environment(..)) if earlier.value != later.value => {
                self.note(later, &format!("counts; {} says otherwise", earlier.origin));
            }
            _ => {}
        }
    }

    /// Adds a remark about a setting's value.
    pub(super) fn note(&mut self, setting: &Setting, text: &str) {
        self.notes.push((setting.origin.clone(), setting.remark(text)));
    }

    /// Adds a remark about a place.
    pub(super) fn note_at(&mut self, origin: Origin, text: impl AsRef<str>) {
        let text = format!("{origin}: {}", text.as_ref());
        self.notes.push((origin, text));
    }

    /// Every remark, in the order of the places.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        in_order(&mut self.notes)
    }

    /// Every warning, in the order of the places.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        in_order(&mut self.warnings)
    }

    /// One remark on every setting that changes nothing, and on every one that ZooKeeper would
    /// ignore where it stands; a warning of every one that nobody knows, which may be misspelled.
    pub(super) fn note_unused(&mut self) {
        for setting in self.by_key.values() {
            let key = setting.key();
            let said = |remark: &str| {
                let text = format!("{}: {} {remark}", setting.origin, setting.written);
                (setting.origin.clone(), text)
            };
            let Some(known) = keys::find(key) else {
                self.warnings.push(said(&unknown(key)));
                continue;
            };
            let remark = match (known.fate, known.kind, &setting.origin) {
                (Fate::Unused(reason), ..) => format!("has no meaning here: {reason}"),
                (Fate::Used, Kind::Bare, Origin::File(..)) => {
                    format!("counts here, though ZooKeeper reads it only as -D{key}=...")
                }
                (Fate::Used, ..) => continue,
            };
            self.notes.push(said(&remark));
        }
    }

    /// The setting of a key, if there is one.
    pub(super) fn get(&mut self, key: &str) -> Option<Setting> {
        #[cfg(test)]
        self.read.insert(key.to_owned());
        self.by_key.get(key).cloned()
    }

    /// The settings of a family: what follows the prefix, and the setting.
    pub(super) fn family(&self, prefix: &str) -> Vec<(String, Setting)> {
        self.by_key
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, setting)| (key[prefix.len()..].to_owned(), setting.clone()))
            .filter(|(rest, _)| !rest.is_empty())
            .collect()
    }

    /// What is a system property with ZooKeeper, by its name there, and its value.
    pub(super) fn properties(&self) -> BTreeMap<String, String> {
        let property = |setting: &Setting| {
            let (key, known) = (setting.key(), keys::find(setting.key()));
            let name = match known.map(|known| known.kind) {
                Some(Kind::File) => return None,
                Some(Kind::Bare) => key.to_owned(),
                Some(Kind::Property) | None => format!("zookeeper.{key}"),
            };
            // Nobody knows what an unknown key holds.
            let hidden = known.is_none() || keys::is_secret(key);
            let value = if hidden { "(hidden)".to_owned() } else { setting.value.clone() };
            Some((name, value))
        };
        self.by_key.values().filter_map(property).collect()
    }

    /// Where every key was written.
    pub(super) fn origins(&self) -> BTreeMap<String, Origin> {
        self.by_key.iter().map(|(key, setting)| (key.clone(), setting.origin.clone())).collect()
    }

    /// The text of a key.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.get(key).map(|setting| setting.value)
    }

    /// The text of a key, which must not be empty.
    pub(super) fn filled(&mut self, key: &str) -> Option<String> {
        let setting = self.get(key)?;
        if setting.value.is_empty() {
            self.problems.push(setting.refuse("must not be empty"));
            return None;
        }
        Some(setting.value)
    }

    /// The path of a file or a directory.
    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.filled(key).map(PathBuf::from)
    }

    /// A whole number; none if the key is not set, or not set to a number that is allowed.
    pub(super) fn whole(&mut self, key: &str, allowed: Whole) -> Option<i64> {
        let setting = self.get(key)?;
        let strict = keys::find(key).is_none_or(|known| known.kind == Kind::File);
        if setting.value.is_empty() && !strict {
            // What a script makes of a variable that is not set.
            self.note(&setting, "counts as not set");
            return None;
        }
        match allowed.check(integer(&setting.value, strict)) {
            Ok(number) => Some(number),
            Err(reason) => {
                self.problems.push(setting.refuse(reason));
                None
            }
        }
    }

    /// A whole number of some type, at least `min`, or the default.
    pub(super) fn number<T: TryFrom<i64>>(
        &mut self,
        key: &str,
        default: T,
        min: i64,
        unit: &'static str,
    ) -> T {
        let number = self.whole(key, Whole::from(min, unit));
        number.and_then(|number| T::try_from(number).ok()).unwrap_or(default)
    }

    /// A boolean. In a key that `zoo.cfg` has by name only "true" and "false" are allowed. In a
    /// system property anything but "true" is false, as in Java, with a remark.
    pub(super) fn boolean(&mut self, key: &str, default: bool) -> bool {
        let Some(setting) = self.get(key) else { return default };
        if setting.value.eq_ignore_ascii_case("true") {
            return true;
        }
        if setting.value.eq_ignore_ascii_case("false") {
            return false;
        }
        if keys::find(key).is_some_and(|known| known.kind == Kind::File) {
            self.problems.push(setting.refuse("must be true or false"));
            return default;
        }
        self.note(&setting, "counts as false: only \"true\" counts as true");
        false
    }

    /// A fraction from 0 to 1 in thousandths, or the default; less than 0 counts as 0. What is no
    /// such fraction is the default, as in ZooKeeper, with a remark.
    pub(super) fn permille(&mut self, key: &str, default: u32) -> u64 {
        let Some(setting) = self.get(key) else { return default.into() };
        match setting.value.parse::<f64>() {
            // The range is that of the type.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Ok(factor) if factor <= 1.0 => (factor.max(0.0) * 1000.0).round() as u64,
            _ => {
                let counted = f64::from(default) / 1000.0;
                self.note(&setting, &format!("counts as {counted}: it must be from 0 to 1"));
                default.into()
            }
        }
    }

    /// A switch with two words, of which the one that is not `default`'s must be met exactly.
    /// Anything else is the default, as in ZooKeeper, with a remark.
    pub(super) fn switch(&mut self, key: &str, on: &str, off: &str, default: bool) -> bool {
        let Some(setting) = self.get(key) else { return default };
        match setting.value.as_str() {
            value if value == on => true,
            value if value == off => false,
            _ => {
                let (counts, only) = if default { (on, off) } else { (off, on) };
                let text = format!("counts as {counts}: only \"{only}\" changes that");
                self.note(&setting, &text);
                default
            }
        }
    }

    /// The parts of a comma separated list, trimmed, without empty ones.
    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        let text = self.text(key).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }
}

/// Takes remarks, in the order of their places.
fn in_order(remarks: &mut Vec<(Origin, String)>) -> Vec<String> {
    let mut remarks = std::mem::take(remarks);
    remarks.sort_by(|left, right| left.0.cmp(&right.0));
    remarks.dedup();
    remarks.into_iter().map(|(_, text)| text).collect()
}

fn unknown(key: &str) -> String {
    match keys::nearest(key) {
        Some(near) => format!("is not known and has no effect; did you mean {near}?"),
        None => "is not known and has no effect".to_owned(),
    }
}

/// A number as Java reads it: `Integer.parseInt` where `strict`, else `Integer.decode`, which
/// takes hexadecimal (`0x`, `#`) and octal (`0`) numbers as well.
fn integer(text: &str, strict: bool) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits {
        _ if strict => (10, digits),
        _ if digits.len() > 2 && (digits.starts_with("0x") || digits.starts_with("0X")) => {
            (16, &digits[2..])
        }
        _ if digits.len() > 1 && digits.starts_with('#') => (16, &digits[1..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    // Too large a number is larger than any that is allowed, so the complaint can say so.
    let number = i64::from_str_radix(digits, radix).unwrap_or(i64::MAX);
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_java_does() {
        let table = [
            ("12", Some(12), Some(12)),
            ("+12", Some(12), Some(12)),
            ("-1", Some(-1), Some(-1)),
            ("010", Some(10), Some(8)),
            ("0", Some(0), Some(0)),
            ("0x10", None, Some(16)),
            ("0XfF", None, Some(255)),
            ("#ff", None, Some(255)),
            ("-0x10", None, Some(-16)),
            ("", None, None),
            ("-", None, None),
            ("0x", None, None),
            ("#", None, None),
            ("+-1", None, None),
            ("--1", None, None),
            ("0x-1", None, None),
            ("1.5", None, None),
            ("1 ", None, None),
            ("99999999999999999999", Some(i64::MAX), Some(i64::MAX)),
        ];
        for (text, strict, decoded) in table {
            assert_eq!(integer(text, true), strict, "{text}");
            assert_eq!(integer(text, false), decoded, "{text}");
        }
    }

    #[test]
    fn what_is_allowed_is_said() {
        let milliseconds = Whole::from(1, "milliseconds");
        let table = [
            (milliseconds, Some(1), Ok(1)),
            (milliseconds, None, Err("must be a whole number of milliseconds, at least 1")),
            (milliseconds, Some(0), Err("must be a whole number of milliseconds, at least 1")),
            (
                milliseconds,
                Some(1 << 31),
                Err("must be a whole number of milliseconds, from 1 to 2147483647"),
            ),
            (Whole::PORT, Some(65_535), Ok(65_535)),
            (Whole::PORT, None, Err("must be a whole number, from 0 to 65535")),
            (Whole::PORT, Some(-1), Err("must be a whole number, from 0 to 65535")),
        ];
        for (allowed, value, expected) in table {
            assert_eq!(allowed.check(value), expected.map_err(str::to_owned), "{value:?}");
        }
    }
}
