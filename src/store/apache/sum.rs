//! The checksum in Apache ZooKeeper's files: Adler-32, in a long.

use simd_adler32::Adler32;
use std::fmt;

/// The checksum of what was written into it.
#[derive(Clone, Default)]
pub(super) struct Sum(Adler32);

impl Sum {
    /// The checksum of some bytes.
    pub(super) fn of(bytes: &[u8]) -> i64 {
        let mut sum = Self::default();
        sum.write(bytes);
        sum.value()
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// As it stands in a file.
    pub(super) fn value(&self) -> i64 {
        i64::from(self.0.finish())
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sum({:#x})", self.value())
    }
}
