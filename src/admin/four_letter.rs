//! Four-letter words (ZK: `FourLetterCommands`).

use crate::server::Shared;

use crate::server::Conn;

impl Shared {
    /// Answer.
    pub(crate) fn four_letter_word(
        &self,
        word: [u8; 4],
        _input: &[u8],
        _conn: &Conn,
    ) -> Option<Option<Vec<u8>>> {
        match &word {
            b"ruok" => Some(Some(b"imok".to_vec())),
            _ => None,
        }
    }
}
