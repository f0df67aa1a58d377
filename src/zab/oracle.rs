//! When an ensemble of two asks its oracle, and how long an answer counts (ZK: `QuorumOracleMaj`).
//!
//! An answer counts for the one step in which it comes: whatever is decided by it is decided then,
//! and the next decision asks anew. So an oracle that changes its mind is obeyed at once. What the
//! oracle is, is not known here.

/// The oracle as the broadcast sees it.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    /// A decision waits for an answer.
    wanted: bool,
    /// It has been asked and has not answered.
    asked: bool,
    /// It has just said yes.
    granted: bool,
}

impl Oracle {
    /// Whether this server may decide alone, now. If not, it will be asked.
    pub(super) const fn grants(&mut self) -> bool {
        self.wanted |= !self.granted;
        self.granted
    }

    /// A decision waits for an answer.
    pub(super) const fn want(&mut self) {
        self.wanted = true;
    }

    /// It has answered; that counts until [`forget`](Self::forget).
    pub(super) const fn answer(&mut self, granted: bool) {
        self.asked = false;
        self.granted = granted;
    }

    /// The step in which it has answered is over.
    pub(super) const fn forget(&mut self) {
        self.granted = false;
    }

    /// Whether to ask now. One question is enough for all that is waited for.
    pub(super) const fn ask(&mut self) -> bool {
        let wanted = self.wanted && !self.asked;
        self.asked |= wanted;
        self.wanted = false;
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_for_one_step_and_one_question_is_under_way() {
        let mut oracle = Oracle::default();
        assert!(!oracle.ask(), "nobody wants to know");
        assert!(!oracle.grants() && oracle.ask() && !oracle.grants() && !oracle.ask());
        oracle.answer(true);
        assert!(oracle.grants() && !oracle.ask());
        oracle.forget();
        assert!(!oracle.grants() && oracle.ask());
        oracle.answer(false);
        assert!(!oracle.grants() && oracle.ask(), "whoever needs it asks again");
    }
}
